//! Lists managed policies: the account's, then AWS's.

use std::collections::HashMap;

use platform::{Access, Ctx};

use crate::api::{ListPoliciesRequest, ListPoliciesResponse, Policy as PolicyView, PolicyScopeType, PolicyUsageType};
use crate::attachment::PolicyUse;
use crate::aws_managed::AwsManagedPolicy;
use crate::managed_policy::Policy;
use crate::names::{PolicyArn, ROOT_PATH, is_under};
use crate::page::PageRequest;
use crate::{Error, Iam};

/// What cursors of AWS's policies begin with; those of the account's begin with [`CUSTOMER`], which sorts before.
const AWS: &str = "2/";
const CUSTOMER: &str = "1/";

pub(crate) fn access(_ctx: &Ctx, input: &ListPoliciesRequest) -> Access {
    Access::to("iam:ListPolicies").on(format!("policy path {}", input.path_prefix.as_deref().unwrap_or(ROOT_PATH)))
}

pub(crate) async fn list_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListPoliciesRequest,
) -> Result<ListPoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListPolicies", input.marker.as_deref(), input.max_items)?;
    let scope = input.scope.unwrap_or_default();
    let wanted = Wanted { uses: iam.policy_uses(ctx).await?, input };
    let mut found = Vec::new();
    if scope != PolicyScopeType::Aws {
        found.extend(customer_policies(ctx, &request, &wanted).await?);
    }
    if scope != PolicyScopeType::Local {
        found.extend(aws_policies(&request, &wanted));
    }
    let page = request.cut(found, |(cursor, _)| cursor.clone()).map(|(_, policy)| policy);
    Ok(ListPoliciesResponse { is_truncated: page.is_truncated(), marker: page.marker, policies: Some(page.items) })
}

/// Which policies the request wants.
struct Wanted {
    input: ListPoliciesRequest,
    uses: HashMap<String, PolicyUse>,
}

impl Wanted {
    fn use_of(&self, arn: &PolicyArn) -> PolicyUse {
        self.uses.get(&arn.key()).copied().unwrap_or_default()
    }

    fn has(&self, arn: &PolicyArn) -> bool {
        let policy_use = self.use_of(arn);
        let usage = match self.input.policy_usage_filter {
            None => true,
            Some(PolicyUsageType::PermissionsPolicy) => policy_use.attachments > 0,
            Some(PolicyUsageType::PermissionsBoundary) => policy_use.boundaries > 0,
        };
        let attached = self.input.only_attached != Some(true) || policy_use.attachments > 0;
        usage && attached && is_under(&arn.path, self.input.path_prefix.as_deref())
    }
}

async fn customer_policies(
    ctx: &Ctx,
    request: &PageRequest<'_>,
    wanted: &Wanted,
) -> Result<Vec<(String, PolicyView)>, Error> {
    let after = match request.after() {
        None => None,
        Some(cursor) => match cursor.strip_prefix(CUSTOMER) {
            Some(id) => Some(id.to_owned()),
            None => return Ok(Vec::new()),
        },
    };
    let account = ctx.account();
    let found = request.scan_after::<Policy>(after, |policy| wanted.has(&policy.arn(account))).await?;
    let listed = found.iter().map(|policy| {
        let view = policy.listed(account, wanted.use_of(&policy.arn(account)));
        (format!("{CUSTOMER}{}", policy.name()), view)
    });
    Ok(listed.collect())
}

fn aws_policies(request: &PageRequest<'_>, wanted: &Wanted) -> Vec<(String, PolicyView)> {
    let all = AwsManagedPolicy::all().filter(|(arn, _)| wanted.has(arn));
    let listed = all.map(|(arn, policy)| (format!("{AWS}{}", arn.text), policy.listed(wanted.use_of(arn))));
    listed.filter(|(cursor, _)| request.after().is_none_or(|after| cursor.as_str() > after)).collect()
}
