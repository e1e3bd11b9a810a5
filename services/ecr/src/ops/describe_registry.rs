//! DescribeRegistry.

use platform::{Access, Ctx};

use crate::api::{DescribeRegistryRequest, DescribeRegistryResponse, ReplicationConfiguration};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &DescribeRegistryRequest) -> Access {
    Access::to("ecr:DescribeRegistry")
}

/// Describes the caller's registry. Nothing is replicated: there are no rules.
pub(crate) async fn describe_registry(
    _ecr: &Ecr,
    ctx: &Ctx,
    _input: DescribeRegistryRequest,
) -> Result<DescribeRegistryResponse, Error> {
    Ok(DescribeRegistryResponse {
        registry_id: Some(ctx.account().to_string()),
        replication_configuration: Some(ReplicationConfiguration { rules: Vec::new() }),
    })
}
