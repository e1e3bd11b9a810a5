//! GetMetricData.

use base::Timestamp;
use platform::{Access, Ctx};

use crate::api::{GetMetricDataInput, GetMetricDataOutput, MetricDataResult, ScanBy, StatusCode};
use crate::math::Series;
use crate::query::label::{Properties, expand};
use crate::query::{self, Query};
use crate::{CloudWatch, Error, page};

const LIST: &str = "GetMetricData";
/// The most data points of one answer.
const DATAPOINTS_MAX: usize = 100_800;

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &GetMetricDataInput) -> Access {
    Access::to("cloudwatch:GetMetricData")
}

/// Reads metrics and computes expressions over them.
pub(crate) async fn get_metric_data(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: GetMetricDataInput,
) -> Result<GetMetricDataOutput, Error> {
    let max = admit(&input)?;
    let queries = query::admit(input.metric_data_queries, ctx.account())?;
    if !queries.iter().any(|query| query.returns_data) {
        return Err(Error::Validation("At least one query must have ReturnData set to true.".to_owned()));
    }
    let from = match page::open(&cloudwatch.platform, ctx, LIST, input.next_token.as_deref())? {
        Some(place) => Place::read(&place).ok_or(Error::NextToken)?,
        None => Place::default(),
    };
    let span = (input.start_time, input.end_time);
    let mut results = query::run(&cloudwatch.platform.store, &ctx.scope(), &queries, span, ctx.now).await?;
    let mut answered: Vec<(&Query, Series)> = Vec::new();
    for query in queries.iter().filter(|query| query.returns_data) {
        answered.extend(results.remove(&query.id).unwrap_or_default().into_iter().map(|series| (query, series)));
    }
    let is_ascending = input.scan_by == Some(ScanBy::TimestampAscending);
    let (found, next) = cut(&answered, from, is_ascending, max);
    let describe = |(index, points, is_whole): (usize, Vec<(i64, f64)>, bool)| {
        let (query, series) = &answered[index];
        result(ctx, query, series, (points, is_whole))
    };
    Ok(GetMetricDataOutput {
        metric_data_results: Some(found.into_iter().map(describe).collect()),
        next_token: next.map(|place| cloudwatch.platform.page_token(ctx, LIST, &place.write())),
        messages: Some(Vec::new()),
    })
}

fn admit(input: &GetMetricDataInput) -> Result<usize, Error> {
    if input.start_time >= input.end_time {
        return Err(Error::Validation("The parameter StartTime must be less than the parameter EndTime.".to_owned()));
    }
    let timezone = input.label_options.as_ref().and_then(|it| it.timezone.as_deref());
    if let Some(timezone) = timezone.filter(|it| !is_timezone(it)) {
        return Err(Error::Validation(format!("The value {timezone} for parameter LabelOptions.Timezone is invalid.")));
    }
    match input.max_datapoints.map(usize::try_from) {
        None => Ok(DATAPOINTS_MAX),
        Some(Ok(max)) if (1..=DATAPOINTS_MAX).contains(&max) => Ok(max),
        Some(_) => Err(Error::Validation(format!("MaxDatapoints must be between 1 and {DATAPOINTS_MAX}."))),
    }
}

/// `+0130`, `-0600`.
fn is_timezone(text: &str) -> bool {
    text.len() == 5 && text.starts_with(['+', '-']) && text[1..].bytes().all(|it| it.is_ascii_digit())
}

/// Where an answer goes on: at which series, after which instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    series: usize,
    after: Option<i64>,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (series, after) = text.split_once(':')?;
        let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
        Some(Self { series: series.parse().ok()?, after })
    }

    fn write(self) -> String {
        format!("{}:{}", self.series, self.after.map(|it| it.to_string()).unwrap_or_default())
    }
}

/// The points of one series that an answer has, by the series' number, and whether there are no more.
type Part = (usize, Vec<(i64, f64)>, bool);

/// As many data points as fit, from a place on, and the place where the next answer goes on.
fn cut(all: &[(&Query, Series)], from: Place, is_ascending: bool, max: usize) -> (Vec<Part>, Option<Place>) {
    let mut parts = Vec::new();
    let mut room = max;
    for (index, (_, series)) in all.iter().enumerate().skip(from.series) {
        let after = from.after.filter(|_| index == from.series);
        let mut points: Vec<(i64, f64)> = series.values.iter().map(|(at, value)| (*at, *value)).collect();
        if !is_ascending {
            points.reverse();
        }
        points.retain(|(at, _)| after.is_none_or(|after| if is_ascending { *at > after } else { *at < after }));
        if room == 0 && !points.is_empty() {
            return (parts, Some(Place { series: index, after }));
        }
        let is_whole = points.len() <= room;
        points.truncate(room);
        room -= points.len();
        let last = points.last().map(|(at, _)| *at);
        parts.push((index, points, is_whole));
        if !is_whole {
            return (parts, Some(Place { series: index, after: last }));
        }
    }
    (parts, None)
}

fn result(ctx: &Ctx, query: &Query, series: &Series, (points, is_whole): (Vec<(i64, f64)>, bool)) -> MetricDataResult {
    let account = ctx.account();
    let properties = Properties { query, account: account.as_str(), region: ctx.region.as_str() };
    MetricDataResult {
        id: Some(query.id.clone()),
        label: Some(expand(&series.label, series, &properties)),
        timestamps: Some(points.iter().map(|(at, _)| Timestamp::from_secs(*at)).collect()),
        values: Some(points.iter().map(|(_, value)| *value).collect()),
        status_code: Some(if is_whole { StatusCode::Complete } else { StatusCode::PartialData }),
        messages: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::parse;
    use crate::query::Source;

    #[test]
    fn pages_have_every_point_once_in_order() {
        let expression = parse("TIME_SERIES(1)").unwrap();
        let query = Query {
            id: "a".to_owned(),
            label: None,
            returns_data: true,
            period_s: None,
            source: Source::Expression(expression),
        };
        let series = |count: i64| Series {
            id: "a".to_owned(),
            label: "a".to_owned(),
            period_s: 60,
            is_metric: false,
            values: (0..count).map(|n| (60 * n, n as f64)).collect(),
        };
        let all = [(&query, series(5)), (&query, series(0)), (&query, series(3)), (&query, series(4))];
        for is_ascending in [true, false] {
            for max in 1..14 {
                let mut found = vec![Vec::new(); 4];
                let mut place = Place::default();
                loop {
                    let (parts, next) = cut(&all, place, is_ascending, max);
                    assert!(parts.iter().map(|(_, points, _)| points.len()).sum::<usize>() <= max);
                    parts.into_iter().for_each(|(index, points, _)| found[index].extend(points));
                    match next {
                        Some(next) => place = Place::read(&next.write()).unwrap(),
                        None => break,
                    }
                }
                for (points, (_, series)) in found.iter_mut().zip(&all) {
                    if !is_ascending {
                        points.reverse();
                    }
                    assert_eq!(*points, series.values.iter().map(|(a, b)| (*a, *b)).collect::<Vec<_>>());
                }
            }
        }
    }
}
