//! GetMetricStatistics.

use platform::{Access, Ctx};

use base::Timestamp;

use crate::api::{Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput, StandardUnit};
use crate::metric::MetricId;
use crate::metric::aggregate::Aggregate;
use crate::metric::datum::{admit_dimensions, unit_of};
use crate::metric::read;
use crate::metric::resolution::is_period;
use crate::metric::statistic::Statistic;
use crate::metric::unit::Unit;
use crate::{CloudWatch, Error, query};

/// The most data points of one answer.
const DATAPOINTS_MAX: i64 = 1440;

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &GetMetricStatisticsInput) -> Access {
    Access::to("cloudwatch:GetMetricStatistics")
}

/// Reads statistics of one metric, each unit on its own.
pub(crate) async fn get_metric_statistics(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput, Error> {
    let extended = admit(&input)?;
    let window = query::window(input.start_time, input.end_time, i64::from(input.period), ctx.now);
    if window.periods() > DATAPOINTS_MAX {
        return Err(Error::InvalidCombination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of {}. You may reduce the datapoints requested \
             by increasing Period, or decreasing the time range.",
            thousands(window.periods()),
            thousands(DATAPOINTS_MAX)
        )));
    }
    let dimensions = admit_dimensions(input.dimensions.clone(), "Dimensions")?;
    let metric = MetricId::new(&input.namespace, &input.metric_name, dimensions);
    let store = &cloudwatch.platform.store;
    let periods = read::periods(store, &ctx.scope(), &metric.series(), window, ctx.now).await?;
    let wanted = input.unit.map(unit_of);
    let datapoints = periods
        .iter()
        .filter(|((_, unit), _)| wanted.is_none_or(|wanted| wanted == *unit))
        .map(|((at_s, unit), all)| datapoint(&input, &extended, (*at_s, *unit), all))
        .collect();
    Ok(GetMetricStatisticsOutput { label: Some(input.metric_name), datapoints: Some(datapoints) })
}

fn admit(input: &GetMetricStatisticsInput) -> Result<Vec<(String, Statistic)>, Error> {
    if input.start_time >= input.end_time {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(Error::InvalidCombination(message.to_owned()));
    }
    if !is_period(i64::from(input.period)) {
        let message =
            format!("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60; it is {}.", input.period);
        return Err(Error::InvalidValue(message));
    }
    let has = |list: Option<usize>| list.is_some_and(|length| length > 0);
    if !has(input.statistics.as_ref().map(Vec::len)) && !has(input.extended_statistics.as_ref().map(Vec::len)) {
        let message = "Must specify either Statistics or ExtendedStatistics.";
        return Err(Error::Missing(message.to_owned()));
    }
    let extended = input.extended_statistics.iter().flatten().map(|text| {
        let statistic = Statistic::extended(text).ok_or_else(|| {
            Error::InvalidValue(format!("The value {text} for parameter ExtendedStatistics is not supported."))
        })?;
        Ok((text.clone(), statistic))
    });
    extended.collect()
}

fn datapoint(
    input: &GetMetricStatisticsInput,
    extended: &[(String, Statistic)],
    (at_s, unit): (i64, Unit),
    all: &Aggregate,
) -> Datapoint {
    let mut datapoint = Datapoint {
        timestamp: Some(Timestamp::from_secs(at_s)),
        unit: unit.name().parse::<StandardUnit>().ok(),
        ..Datapoint::default()
    };
    for statistic in input.statistics.iter().flatten() {
        match statistic {
            crate::api::Statistic::SampleCount => datapoint.sample_count = Some(all.count),
            crate::api::Statistic::Average => datapoint.average = Some(all.average()),
            crate::api::Statistic::Sum => datapoint.sum = Some(all.sum),
            crate::api::Statistic::Minimum => datapoint.minimum = Some(all.min),
            crate::api::Statistic::Maximum => datapoint.maximum = Some(all.max),
        }
    }
    if !extended.is_empty() {
        let values = extended.iter().filter_map(|(text, statistic)| Some((text.clone(), statistic.of(all)?)));
        datapoint.extended_statistics = Some(values.collect());
    }
    datapoint
}

/// `2,880`.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|it| std::str::from_utf8(it).ok()).collect();
    groups.join(",")
}
