//! Tells how many entities the account has, and how many it may have.

use std::collections::BTreeMap;

use platform::{Access, Ctx};
use store::ListOptions;

use crate::api::GetAccountSummaryResponse;
use crate::group::Group;
use crate::instance_profile::InstanceProfile;
use crate::managed_policy::Policy;
use crate::oidc_provider::OidcProvider;
use crate::role::Role;
use crate::user::User;
use crate::{Error, Iam, limits};

/// Versions of managed policies that an account may have together.
const POLICY_VERSIONS_PER_ACCOUNT: usize = 10_000;

pub(crate) fn access(_ctx: &Ctx) -> Access {
    Access::to("iam:GetAccountSummary")
}

pub(crate) async fn get_account_summary(iam: &Iam, ctx: &Ctx) -> Result<GetAccountSummaryResponse, Error> {
    let account = ctx.account();
    let (policies, versions) = count_policies(iam, ctx).await?;
    let counts = [
        ("Users", iam.count::<User>(account).await?),
        ("Groups", iam.count::<Group>(account).await?),
        ("Roles", iam.count::<Role>(account).await?),
        ("InstanceProfiles", iam.count::<InstanceProfile>(account).await?),
        ("Providers", iam.count::<OidcProvider>(account).await?),
        ("Policies", policies),
        ("PolicyVersionsInUse", versions),
        ("AccountAccessKeysPresent", 0),
        ("AccountMFAEnabled", 0),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("ServerCertificates", 0),
    ];
    let all = counts.iter().chain(&QUOTAS);
    let summary = all.map(|(name, number)| ((*name).to_owned(), i32::try_from(*number).unwrap_or(i32::MAX)));
    Ok(GetAccountSummaryResponse { summary_map: Some(summary.collect::<BTreeMap<_, _>>()) })
}

/// The account's managed policies, and the versions of all of them.
async fn count_policies(iam: &Iam, ctx: &Ctx) -> Result<(usize, usize), Error> {
    let (mut policies, mut versions, mut after) = (0, 0, None);
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let listing = iam.platform.store.list::<Policy>(&ctx.global_scope(), options).await?;
        policies += listing.items.len();
        versions += listing.items.iter().map(|policy| policy.versions.len()).sum::<usize>();
        after = listing.next;
        if after.is_none() {
            return Ok((policies, versions));
        }
    }
}

const QUOTAS: [(&str, usize); 19] = [
    ("AccessKeysPerUserQuota", limits::ACCESS_KEYS_PER_USER),
    ("AssumeRolePolicySizeQuota", limits::TRUST_POLICY_SIZE_MAX),
    ("AttachedPoliciesPerGroupQuota", limits::ATTACHED_POLICIES_MAX),
    ("AttachedPoliciesPerRoleQuota", limits::ATTACHED_POLICIES_MAX),
    ("AttachedPoliciesPerUserQuota", limits::ATTACHED_POLICIES_MAX),
    ("GlobalEndpointTokenVersion", 1),
    ("GroupPolicySizeQuota", limits::GROUP_INLINE_SIZE_MAX),
    ("GroupsPerUserQuota", limits::GROUPS_PER_USER),
    ("GroupsQuota", limits::GROUPS_PER_ACCOUNT),
    ("InstanceProfilesQuota", limits::INSTANCE_PROFILES_PER_ACCOUNT),
    ("PoliciesQuota", limits::POLICIES_PER_ACCOUNT),
    ("PolicySizeQuota", limits::MANAGED_POLICY_SIZE_MAX),
    ("PolicyVersionsInUseQuota", POLICY_VERSIONS_PER_ACCOUNT),
    ("RolePolicySizeQuota", limits::ROLE_INLINE_SIZE_MAX),
    ("RolesQuota", limits::ROLES_PER_ACCOUNT),
    ("SigningCertificatesPerUserQuota", 0),
    ("UserPolicySizeQuota", limits::USER_INLINE_SIZE_MAX),
    ("UsersQuota", limits::USERS_PER_ACCOUNT),
    ("VersionsPerPolicyQuota", limits::POLICY_VERSIONS_MAX),
];
