//! PutMetricData.

use platform::{Access, Ctx};

use crate::api::PutMetricDataInput;
use crate::metric::datum::{self, DATA_MAX};
use crate::{CloudWatch, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &PutMetricDataInput) -> Access {
    Access::to("cloudwatch:PutMetricData").key("cloudwatch:namespace", &input.namespace)
}

/// Takes data points, all or none. Entities are taken note of by nobody: what they are about is kept like all other data.
pub(crate) async fn put_metric_data(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: PutMetricDataInput,
) -> Result<(), Error> {
    datum::admit_namespace(&input.namespace)?;
    let entities = input.entity_metric_data.unwrap_or_default();
    let data = input.metric_data.unwrap_or_default();
    let count = data.len() + entities.iter().filter_map(|it| it.metric_data.as_ref()).map(Vec::len).sum::<usize>();
    if count == 0 {
        return Err(Error::Missing("The parameter MetricData is required.".to_owned()));
    }
    if count > DATA_MAX {
        let message = format!("The collection MetricData must not have a size greater than {DATA_MAX}.");
        return Err(Error::InvalidValue(message));
    }
    let mut samples = datum::admit(&input.namespace, data, "MetricData", ctx.now)?;
    for (number, entity) in entities.into_iter().enumerate() {
        let parameter = format!("EntityMetricData.member.{}.MetricData", number + 1);
        let data = entity.metric_data.unwrap_or_default();
        samples.extend(datum::admit(&input.namespace, data, &parameter, ctx.now)?);
    }
    Ok(cloudwatch.ingest.put(ctx.scope(), ctx.now, samples).await?)
}
