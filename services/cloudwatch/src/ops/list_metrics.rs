//! ListMetrics.

use std::time::Duration;

use platform::{Access, Ctx};
use store::{Key, Range, Record as _, Versioned};

use crate::api::{Dimension, DimensionFilter, ListMetricsInput, ListMetricsOutput, Metric as ListedMetric};
use crate::metric::ingest::SEEN_GRANULARITY;
use crate::metric::{Metric, name_prefix};
use crate::reconcile::retention::LISTED;
use crate::{CloudWatch, Error, page};

const LIST: &str = "ListMetrics";
/// The most metrics of one answer.
const PAGE: usize = 500;
/// What RecentlyActive knows: three hours, and as much more as it is not known exactly.
const RECENTLY: Duration = Duration::from_secs(3 * 3600 + SEEN_GRANULARITY.as_secs());
/// How many records one answer looks at; a filter that finds little is continued by the client.
const READ_MAX: usize = 20_000;
/// How many records are read at once.
const READ: usize = 1000;

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &ListMetricsInput) -> Access {
    Access::to("cloudwatch:ListMetrics")
}

/// Lists the metrics that had data in the last two weeks.
pub(crate) async fn list_metrics(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: ListMetricsInput,
) -> Result<ListMetricsOutput, Error> {
    if input.owning_account.as_deref().is_some_and(|it| it != ctx.account().as_str()) {
        return Err(Error::not_served("Listing another account's metrics (OwningAccount)"));
    }
    let mut after = page::open(&cloudwatch.platform, ctx, LIST, input.next_token.as_deref())?;
    let kind = ctx.scope().key().child(Metric::SERVICE).child(Metric::KIND);
    let filter = Filter { input: &input, now: ctx.now };
    let mut metrics = Vec::new();
    let (mut is_more, mut seen) = (true, 0);
    while is_more && metrics.len() < PAGE && seen < READ_MAX {
        let (found, more) = read(cloudwatch, ctx, &kind, &input, after.as_deref()).await?;
        is_more = more;
        for metric in found {
            seen += 1;
            after = Some(metric.id.join("/"));
            if filter.takes(&metric) {
                metrics.push(listed(&metric));
            }
            if metrics.len() == PAGE {
                is_more = true;
                break;
            }
        }
    }
    let last = after.filter(|_| is_more);
    Ok(ListMetricsOutput {
        owning_accounts: input
            .include_linked_accounts
            .filter(|is_wanted| *is_wanted)
            .map(|_| vec![ctx.account().as_str().to_owned(); metrics.len()]),
        metrics: Some(metrics),
        next_token: last.map(|last| cloudwatch.platform.page_token(ctx, LIST, &last)),
    })
}

/// Records in the order of their keys: all, those of a namespace, or those of a name in it.
async fn read(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    kind: &Key,
    input: &ListMetricsInput,
    after: Option<&str>,
) -> Result<(Vec<Versioned<Metric>>, bool), Error> {
    let store = &cloudwatch.platform.store;
    let mut range = match &input.namespace {
        None => Range::prefix(kind),
        Some(namespace) => {
            let base = kind.child(namespace);
            let mut range = Range::prefix(&base);
            if let Some(prefix) = input.metric_name.as_deref().map(name_prefix) {
                range.start = base.child(&prefix).as_str().to_owned();
                range.end = page::beyond(&prefix).map(|end| base.child(&end).as_str().to_owned()).or(range.end);
            }
            range
        }
    };
    if let Some((namespace, series)) = after.and_then(|after| after.rsplit_once('/')) {
        range = range.after(&kind.join([namespace, series]));
    }
    let page = store.range(range.limit(READ)).await?;
    let ids: Vec<Vec<String>> =
        page.entries.iter().map(|entry| entry.key.segments().skip(4).map(Into::into).collect()).collect();
    let ids: Vec<Vec<&str>> = ids.iter().map(|id| id.iter().map(String::as_str).collect()).collect();
    let ids: Vec<&[&str]> = ids.iter().map(Vec::as_slice).collect();
    let found = store.read_many::<Metric>(&ctx.scope(), &ids).await?;
    Ok((found.into_iter().flatten().collect(), page.more))
}

struct Filter<'a> {
    input: &'a ListMetricsInput,
    now: base::Timestamp,
}

impl Filter<'_> {
    fn takes(&self, metric: &Metric) -> bool {
        let age = self.now.since(metric.last_seen);
        let within = if self.input.recently_active.is_some() { RECENTLY } else { LISTED };
        let has = |filter: &DimensionFilter| {
            let mut dimensions = metric.id.dimensions().iter();
            dimensions
                .any(|(name, value)| *name == filter.name && filter.value.as_ref().is_none_or(|wanted| wanted == value))
        };
        age <= within
            && self.input.metric_name.as_deref().is_none_or(|name| name == metric.id.name())
            && self.input.dimensions.iter().flatten().all(has)
    }
}

fn listed(metric: &Metric) -> ListedMetric {
    let dimension = |(name, value): &(String, String)| Dimension { name: name.clone(), value: value.clone() };
    ListedMetric {
        namespace: Some(metric.id.namespace().to_owned()),
        metric_name: Some(metric.id.name().to_owned()),
        dimensions: Some(metric.id.dimensions().iter().map(dimension).collect()),
    }
}
