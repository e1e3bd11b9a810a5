//! DescribeAlarmsForMetric.

use platform::{Access, Ctx};
use store::Listing;

use crate::alarm::describe::{Described, describe};
use crate::alarm::{Alarm, BY_SERIES, metric_id};
use crate::api::{DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput};
use crate::names::alarm_arn;
use crate::{CloudWatch, Error};

/// How many alarms are read at once.
const READ: usize = 1000;

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &DescribeAlarmsForMetricInput) -> Access {
    Access::to("cloudwatch:DescribeAlarmsForMetric")
}

/// Describes the alarms on one metric itself; those on expressions are not among them.
pub(crate) async fn describe_alarms_for_metric(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: DescribeAlarmsForMetricInput,
) -> Result<DescribeAlarmsForMetricOutput, Error> {
    let series = metric_id(&input.namespace, &input.metric_name, input.dimensions.as_deref()).series();
    let mut metric_alarms = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page: Listing<Alarm> =
            cloudwatch.platform.store.list_by(&ctx.scope(), BY_SERIES, &series, after.as_deref(), READ).await?;
        for alarm in page.items.into_iter().filter(|alarm| takes(&input, alarm)) {
            let arn = alarm_arn(ctx, alarm.name());
            if let Described::Metric(alarm) = describe(arn, alarm.value) {
                metric_alarms.push(*alarm);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(DescribeAlarmsForMetricOutput { metric_alarms: Some(metric_alarms) });
        }
    }
}

fn takes(input: &DescribeAlarmsForMetricInput, alarm: &Alarm) -> bool {
    let Some(own) = alarm.metric().filter(|it| it.metrics.is_none()) else { return false };
    input.statistic.is_none_or(|it| own.statistic == Some(it))
        && input.extended_statistic.as_ref().is_none_or(|it| own.extended_statistic.as_ref() == Some(it))
        && input.period.is_none_or(|it| own.period == Some(it))
        && input.unit.is_none_or(|it| own.unit == Some(it))
}
