//! TestMetricFilter.

use platform::{Access, Ctx};

use crate::api::{MetricFilterMatchRecord, TestMetricFilterRequest, TestMetricFilterResponse};
use crate::names::on_no_group;
use crate::pattern::Pattern;
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, _: &TestMetricFilterRequest) -> Access {
    on_no_group(ctx, "logs:TestMetricFilter")
}

/// Tells which messages a pattern takes, and what it finds in them.
pub(crate) async fn test_metric_filter(
    logs: &Logs,
    _: &Ctx,
    input: TestMetricFilterRequest,
) -> Result<TestMetricFilterResponse, Error> {
    let pattern = Pattern::parse(&input.filter_pattern)?;
    // A regular expression can take seconds.
    let matches = logs.blocking(move |_| Ok(matches(&pattern, input.log_event_messages))).await?;
    Ok(TestMetricFilterResponse { matches: Some(matches) })
}

fn matches(pattern: &Pattern, messages: Vec<String>) -> Vec<MetricFilterMatchRecord> {
    let matches = messages.into_iter().zip(1..).filter_map(|(message, number)| {
        let extracted = pattern.extract(&message)?;
        Some(MetricFilterMatchRecord {
            event_number: Some(number),
            event_message: Some(message),
            extracted_values: Some(extracted),
        })
    });
    matches.collect()
}
