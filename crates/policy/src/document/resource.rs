//! Resources of a statement: `*`, or an ARN whose last parts may be left out.

use super::Malformed;

const PARTITIONS: [&str; 9] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"];

/// What IAM has under the accounts of its ARNs.
const IAM_KINDS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// What S3 has in a region; buckets and objects are in none.
const S3_REGIONAL_KINDS: [&str; 6] =
    ["accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/"];

/// A resource in its parts, or what it is instead.
#[derive(Debug)]
pub(super) enum Form<'a> {
    /// `*`
    Everything,
    /// An ARN of up to six parts, those that are missing being `*`.
    Arn(Parts<'a>),
}

#[derive(Debug)]
pub(super) struct Parts<'a> {
    text: &'a str,
    given: usize,
    vendor: &'a str,
    region: &'a str,
    account: &'a str,
    path: &'a str,
}

impl<'a> Form<'a> {
    /// Reads a resource as far as its partition.
    pub(super) fn read(text: &'a str) -> Result<Self, Malformed> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let form = || Malformed::ResourceForm { resource: text.to_owned() };
        let mut parts = text.splitn(6, ':');
        let (prefix, partition) = (parts.next(), parts.next().ok_or_else(form)?);
        let given = text.splitn(6, ':').count();
        let mut next = || parts.next().unwrap_or("*");
        let (vendor, region, account, path) = (next(), next(), next(), next());
        if !PARTITIONS.contains(&partition) {
            let resource = format!("arn:{partition}:{vendor}:{region}:{account}:{path}");
            return Err(Malformed::Partition { partition: partition.to_owned(), resource });
        }
        if prefix != Some("arn") {
            return Err(form());
        }
        Ok(Self::Arn(Parts { text, given, vendor, region, account, path }))
    }

    /// What IAM's older parser refuses: an ARN without a service, or one that is cut short and has a hole besides.
    pub(super) fn check_legacy(&self) -> Result<(), Malformed> {
        let Self::Arn(parts) = self else { return Ok(()) };
        let cut = parts.given < 6 && (parts.text.split(':').any(str::is_empty) || parts.account.contains('/'));
        if parts.vendor.is_empty() || cut { Err(Malformed::Legacy) } else { Ok(()) }
    }

    /// The rules of single services.
    pub(super) fn check_service(&self) -> Result<(), Malformed> {
        let Self::Arn(parts) = self else { return Ok(()) };
        if parts.given < 3 || parts.vendor.contains(['*', '?']) {
            return Err(Malformed::ResourceVendor);
        }
        let resource = || parts.text.to_owned();
        let in_region = !parts.region.is_empty() && !parts.region.contains(['*', '?']);
        match parts.vendor {
            "iam" if in_region => Err(Malformed::IamRegion { resource: resource() }),
            "iam" if !is_iam_path(parts.path) => Err(Malformed::IamPath),
            "s3" if in_region && !S3_REGIONAL_KINDS.iter().any(|kind| parts.path.starts_with(kind)) => {
                Err(Malformed::S3Region { resource: resource() })
            }
            _ => Ok(()),
        }
    }
}

fn is_iam_path(path: &str) -> bool {
    matches!(path, "*" | "root") || IAM_KINDS.iter().any(|kind| path.starts_with(kind))
}
