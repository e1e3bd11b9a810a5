//! Tells what policies of the request would decide.

use platform::{Access, Ctx};
use policy::Purpose;

use crate::api::{SimulateCustomPolicyRequest, SimulatePolicyResponse};
use crate::page::PageRequest;
use crate::simulation::{Simulation, Source, caller};
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, _input: &SimulateCustomPolicyRequest) -> Access {
    Access::to("iam:SimulateCustomPolicy")
}

pub(crate) async fn simulate_custom_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: SimulateCustomPolicyRequest,
) -> Result<SimulatePolicyResponse, Error> {
    let request = PageRequest::new(iam, ctx, "SimulateCustomPolicy", input.marker.as_deref(), input.max_items)?;
    if input.ordered_organization_policy_input_list.is_some_and(|policies| !policies.is_empty()) {
        return Err(Error::OrganizationPolicies);
    }
    let boundary = input.permissions_boundary_policy_input_list;
    let simulation = Simulation {
        identity: Source::inputs("PolicyInputList", Some(input.policy_input_list), Purpose::Inline),
        boundary: Source::inputs("PermissionsBoundaryPolicyInputList", boundary, Purpose::Inline),
        resource_policy: input.resource_policy,
        principal: caller(ctx, input.caller_arn.as_deref())?,
        resource_owner: input.resource_owner,
        actions: input.action_names,
        resources: input.resource_arns,
        entries: input.context_entries,
    };
    let prepared = simulation.prepare()?;
    let page = request.of(prepared.actions());
    let page = prepared.results(page).await?;
    Ok(SimulatePolicyResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        evaluation_results: Some(page.items),
    })
}
