//! Tells what the policies of a user, a group or a role would decide, with or without some of the request's.

use platform::{Access, Ctx};
use policy::Purpose;

use crate::api::{SimulatePolicyResponse, SimulatePrincipalPolicyRequest};
use crate::page::PageRequest;
use crate::simulation::{Simulation, Source, caller};
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &SimulatePrincipalPolicyRequest) -> Access {
    Access::to("iam:SimulatePrincipalPolicy").on(&*input.policy_source_arn)
}

pub(crate) async fn simulate_principal_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: SimulatePrincipalPolicyRequest,
) -> Result<SimulatePolicyResponse, Error> {
    let request = PageRequest::new(iam, ctx, "SimulatePrincipalPolicy", input.marker.as_deref(), input.max_items)?;
    let excluded = input.policy_exclusion_list.unwrap_or_default();
    let sources = iam.sources(ctx, &input.policy_source_arn, &excluded).await?;
    let mut identity = sources.identity;
    identity.extend(Source::inputs("PolicyInputList", input.policy_input_list, Purpose::Inline));
    let given = input.permissions_boundary_policy_input_list;
    let given = Source::inputs("PermissionsBoundaryPolicyInputList", given, Purpose::Inline);
    let principal = match (input.caller_arn, sources.principal) {
        (None, Some(principal)) => principal,
        (caller_arn, _) => caller(ctx, caller_arn.as_deref())?,
    };
    let simulation = Simulation {
        identity,
        // The request's takes the place of the one that is set.
        boundary: if given.is_empty() { sources.boundary } else { given },
        resource_policy: input.resource_policy,
        principal,
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
