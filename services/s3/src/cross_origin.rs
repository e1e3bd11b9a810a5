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
            if service.name != api::MODEL.name {
                return Ok(CrossOriginHeaders::new());
            }
            let CrossOrigin { origin, method, headers, is_preflight, .. } = asked;
            let bucket = asked.path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
            Ok(self.allowed(Page { bucket, origin, method, headers, is_preflight }).await?)
        })
    }
}

/// A request of a page of another origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// To this bucket, or its website.
    pub(crate) bucket: &'a str,
    /// From here.
    pub(crate) origin: &'a str,
    /// The method.
    pub(crate) method: &'a str,
    /// The headers that it wants to send, separated by commas, if it asks before.
    pub(crate) headers: Option<&'a str>,
    /// Whether it asks before.
    pub(crate) is_preflight: bool,
}

impl S3 {
    /// The headers that let a page use a bucket; none where no rule does. Which operation it is does not count.
    ///
    /// # Errors
    /// [`Error::AccessForbidden`] for a page that asks before, in AWS's words.
    pub(crate) async fn allowed(&self, asked: Page<'_>) -> Result<CrossOriginHeaders, Error> {
        let refused = |reason: &str| match asked.is_preflight {
            true => Err(Error::AccessForbidden(format!("CORSResponse: {reason}"))),
            false => Ok(CrossOriginHeaders::new()),
        };
        let Some(bucket) = look_up(self, asked.bucket).await? else { return refused("Bucket not found") };
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
