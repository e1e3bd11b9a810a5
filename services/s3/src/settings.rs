//! The kinds of settings that a bucket can have.

use store::Record;

use crate::cors::Cors;
use crate::lifecycle::Lifecycle;
use crate::notification::Notifications;
use crate::policy_setting::BucketPolicy;
use crate::website::Website;

/// All kinds: what goes with a bucket.
pub(crate) const KINDS: [&str; 5] =
    [BucketPolicy::KIND, Cors::KIND, Lifecycle::KIND, Notifications::KIND, Website::KIND];
