//! What pages of other origins are told.

use platform::BoxFuture;
use platform::ports::CrossOriginRules;
use wire::model::ServiceModel;
use wire::serve::{CrossOrigin, CrossOriginHeaders};

use crate::bucket::{look_up, setting};
use crate::cors::Cors;
use crate::{Error, S3, api};

impl CrossOriginRules for S3 {
    fn cross_origin<'a>(
        &'a self,
        service: &'static ServiceModel,
        asked: CrossOrigin<'a>,
    ) -> BoxFuture<'a, Result<CrossOriginHeaders, wire::Error>> {
        Box::pin(async move {
            match service.name == api::MODEL.name {
                true => Ok(self.allowed(asked).await?),
                false => Ok(CrossOriginHeaders::new()),
            }
        })
    }
}

impl S3 {
    /// The headers that let a page use a bucket; none where no rule does. Which operation it is does not count.
    ///
    /// # Errors
    /// [`Error::AccessForbidden`] for a page that asks before, in AWS's words.
    async fn allowed(&self, asked: CrossOrigin<'_>) -> Result<CrossOriginHeaders, Error> {
        let bucket = asked.path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        let refused = |reason: &str| match asked.is_preflight {
            true => Err(Error::AccessForbidden(format!("CORSResponse: {reason}"))),
            false => Ok(CrossOriginHeaders::new()),
        };
        let Some(bucket) = look_up(self, bucket).await? else { return refused("Bucket not found") };
        let Some(cors) = setting::<Cors>(&self.platform.store, &bucket).await? else {
            return refused("CORS is not enabled for this bucket.");
        };
        let headers: Vec<&str> = asked
            .headers
            .into_iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|header| !header.is_empty())
            .collect();
        let allowed = match asked.is_preflight {
            true => cors.preflight(asked.origin, asked.method, &headers),
            false => cors.actual(asked.origin, asked.method),
        };
        match allowed {
            Some(allowed) => Ok(allowed.headers),
            None => refused(
                "This CORS request is not allowed. This is usually because the evalution of Origin, request method / \
                 Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's \
                 CORS spec.",
            ),
        }
    }
}
