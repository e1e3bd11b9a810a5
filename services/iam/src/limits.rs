//! IAM's default quotas ("IAM and AWS STS quotas" in the user guide). None of them can be raised here.

/// Access keys of a user.
pub(crate) const ACCESS_KEYS_PER_USER: usize = 2;
/// Managed policies attached to a user or to a role.
pub(crate) const ATTACHED_POLICIES_MAX: usize = 10;
/// Characters of all inline policies of a user together, white space not counted.
pub(crate) const USER_INLINE_SIZE_MAX: usize = 2048;
/// Characters of all inline policies of a group together, white space not counted.
pub(crate) const GROUP_INLINE_SIZE_MAX: usize = 5120;
/// Groups that a user is in.
pub(crate) const GROUPS_PER_USER: usize = 10;
/// Characters of all inline policies of a role together, white space not counted.
pub(crate) const ROLE_INLINE_SIZE_MAX: usize = 10_240;
/// Characters of a managed policy, white space not counted.
pub(crate) const MANAGED_POLICY_SIZE_MAX: usize = 6144;
/// Characters of a trust policy, white space not counted.
pub(crate) const TRUST_POLICY_SIZE_MAX: usize = 2048;
/// Versions of a managed policy.
pub(crate) const POLICY_VERSIONS_MAX: usize = 5;
/// Users of an account.
pub(crate) const USERS_PER_ACCOUNT: usize = 5000;
/// Groups of an account.
pub(crate) const GROUPS_PER_ACCOUNT: usize = 300;
/// Roles of an account.
pub(crate) const ROLES_PER_ACCOUNT: usize = 1000;
/// Managed policies of an account.
pub(crate) const POLICIES_PER_ACCOUNT: usize = 1500;
/// Instance profiles of an account.
pub(crate) const INSTANCE_PROFILES_PER_ACCOUNT: usize = 1000;
/// OpenID Connect providers of an account.
pub(crate) const OIDC_PROVIDERS_PER_ACCOUNT: usize = 100;
/// Client ids of an OpenID Connect provider.
pub(crate) const CLIENT_IDS_PER_PROVIDER: usize = 100;
/// Thumbprints of an OpenID Connect provider.
pub(crate) const THUMBPRINTS_PER_PROVIDER: usize = 5;
/// Pairs of action and resource of one simulation.
pub(crate) const SIMULATED_PAIRS_MAX: usize = 10_000;
/// Characters of the policies of one simulation, times its pairs: what evaluating it costs.
pub(crate) const SIMULATED_BYTES_MAX: usize = 64 << 20;
/// Policies of one simulation: more than can be attached to a user and its groups, and as many of the request's.
pub(crate) const SIMULATED_POLICIES_MAX: usize = 500;
/// Tags of an entity.
pub(crate) const TAGS_MAX: usize = 50;
/// Roles of an instance profile.
pub(crate) const ROLES_PER_INSTANCE_PROFILE: usize = 1;
/// Items of a page when the request does not say.
pub(crate) const PAGE_ITEMS_DEFAULT: usize = 100;
/// The longest session of a role that does not say, in seconds.
pub(crate) const SESSION_DURATION_DEFAULT_S: u32 = 3600;
/// How often a transaction is built anew because somebody else was faster, before the client is told to try again.
pub(crate) const ATTEMPTS_MAX: u32 = 32;
