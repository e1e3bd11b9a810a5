//! AWS's own managed policies that are known by ARN: facts of AWS, as data. Each is known in its latest version alone.

use std::sync::{Arc, OnceLock};

use base::Timestamp;
use policy::Purpose;

use crate::api;
use crate::attachment::PolicyUse;
use crate::managed_policy;
use crate::names::PolicyArn;
use crate::policy_directory::compile;
use crate::url_encoding::url_encoded;

/// One of AWS's policies.
#[derive(Debug)]
pub(crate) struct AwsManagedPolicy {
    name: &'static str,
    path: &'static str,
    /// The unique id that it has in every account.
    id: &'static str,
    description: &'static str,
    /// The number of the default version.
    version: u32,
    /// When it was made, ISO 8601.
    created: &'static str,
    /// When its default version was made, ISO 8601.
    updated: &'static str,
    /// The text of the default version.
    document: &'static str,
}

impl AwsManagedPolicy {
    /// All that are known, in the order of their ARNs.
    pub(crate) fn all() -> Vec<(PolicyArn, &'static Self)> {
        let mut all: Vec<_> = POLICIES.iter().map(|policy| (policy.arn(), policy)).collect();
        all.sort_by(|(one, _), (other, _)| one.text.cmp(&other.text));
        all
    }

    /// The one that an ARN means.
    pub(crate) fn find(arn: &PolicyArn) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| policy.name == arn.name && policy.arn() == *arn)
    }

    /// It, ready to be evaluated; read when it is asked for the first time.
    pub(crate) fn compiled(&'static self) -> Arc<policy::Policy> {
        static COMPILED: [OnceLock<Arc<policy::Policy>>; POLICIES.len()] = [const { OnceLock::new() }; POLICIES.len()];
        let position = POLICIES.iter().position(|policy| std::ptr::eq(policy, self)).unwrap_or_default();
        COMPILED[position].get_or_init(|| Arc::new(compile(&self.arn().text, self.document, Purpose::Managed))).clone()
    }

    fn arn(&self) -> PolicyArn {
        PolicyArn::of_aws(self.path, self.name)
    }

    /// As ListPolicies answers it.
    pub(crate) fn listed(&self, policy_use: PolicyUse) -> api::Policy {
        api::Policy {
            create_date: instant(self.created),
            default_version_id: Some(self.version_id()),
            policy_id: Some(self.id.to_owned()),
            update_date: instant(self.updated),
            ..managed_policy::view(&self.arn(), policy_use)
        }
    }

    /// As GetPolicy answers it.
    pub(crate) fn described(&self, policy_use: PolicyUse) -> api::Policy {
        api::Policy {
            description: Some(self.description.to_owned()),
            tags: Some(Vec::new()),
            ..self.listed(policy_use)
        }
    }

    /// Its one version, with the text.
    pub(crate) fn version(&self) -> api::PolicyVersion {
        api::PolicyVersion {
            create_date: instant(self.updated),
            document: Some(url_encoded(self.document)),
            is_default_version: Some(true),
            version_id: Some(self.version_id()),
        }
    }

    fn version_id(&self) -> String {
        format!("v{}", self.version)
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso8601(text).ok()
}

static POLICIES: [AwsManagedPolicy; 10] = [
    AwsManagedPolicy {
        name: "AdministratorAccess",
        path: "/",
        id: "ANPAIWMBCKSKIEE64ZLYK",
        description: "Provides full access to AWS services and resources.",
        version: 1,
        created: "2015-02-06T18:39:46Z",
        updated: "2015-02-06T18:39:46Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": "*", "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "AmazonEC2ContainerRegistryReadOnly",
        path: "/",
        id: "ANPAIFYZPA37OOHVIH7KQ",
        description: "Provides read-only access to Amazon EC2 Container Registry repositories.",
        version: 3,
        created: "2015-12-21T17:04:15Z",
        updated: "2019-12-10T20:56:32Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource", "ecr:DescribeImageScanFindings"], "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "AmazonEC2ContainerServiceforEC2Role",
        path: "/service-role/",
        id: "ANPAJLYJCVHC7TQHCSQDS",
        description: "Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.",
        version: 10,
        created: "2015-03-19T18:45:18Z",
        updated: "2026-02-12T17:59:52Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["ec2:DescribeTags", "ecs:CreateCluster", "ecs:DeregisterContainerInstance", "ecs:DiscoverPollEndpoint", "ecs:Poll", "ecs:RegisterContainerInstance", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState", "ecs:Submit*", "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents"], "Effect": "Allow", "Resource": "*"}, {"Action": "ecs:TagResource", "Condition": {"StringEquals": {"ecs:CreateAction": ["CreateCluster", "RegisterContainerInstance"]}}, "Effect": "Allow", "Resource": "*"}, {"Action": ["ecs:ListTagsForResource"], "Effect": "Allow", "Resource": ["arn:aws:ecs:*:*:task/*/*", "arn:aws:ecs:*:*:container-instance/*/*"]}]}"#,
    },
    AwsManagedPolicy {
        name: "AmazonECSTaskExecutionRolePolicy",
        path: "/service-role/",
        id: "ANPAJG4T4G4PV56DE72PY",
        description: "Provides access to other AWS service resources that are required to run Amazon ECS tasks",
        version: 1,
        created: "2017-11-16T18:48:22Z",
        updated: "2017-11-16T18:48:22Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents"], "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "AmazonS3FullAccess",
        path: "/",
        id: "ANPAIFIR6V6BVTRAHWINE",
        description: "Provides full access to all buckets via the AWS Management Console.",
        version: 2,
        created: "2015-02-06T18:40:58Z",
        updated: "2021-09-27T20:16:37Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["s3:*", "s3-object-lambda:*"], "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "AmazonS3ReadOnlyAccess",
        path: "/",
        id: "ANPAIZTJ4DXE7G6AGAE6M",
        description: "Provides read only access to all buckets via the AWS Management Console.",
        version: 3,
        created: "2015-02-06T18:40:59Z",
        updated: "2023-08-10T21:31:39Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"], "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "AWSLambdaBasicExecutionRole",
        path: "/service-role/",
        id: "ANPAJNCQGXC42545SKXIK",
        description: "Provides write permissions to CloudWatch Logs.",
        version: 1,
        created: "2015-04-09T15:03:43Z",
        updated: "2015-04-09T15:03:43Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "AWSLambdaVPCAccessExecutionRole",
        path: "/service-role/",
        id: "ANPAJVTME3YLVNL72YR2K",
        description: "Provides minimum permissions for a Lambda function to execute while accessing a resource within a VPC - create, describe, delete network interfaces and write permissions to CloudWatch Logs. ",
        version: 3,
        created: "2016-02-11T23:15:26Z",
        updated: "2024-01-05T22:38:26Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"], "Effect": "Allow", "Resource": "*", "Sid": "AWSLambdaVPCAccessExecutionPermissions"}]}"#,
    },
    AwsManagedPolicy {
        name: "PowerUserAccess",
        path: "/",
        id: "ANPAJYRXTHIB4FOVS3ZXS",
        description: "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
        version: 12,
        created: "2015-02-06T18:39:47Z",
        updated: "2026-02-12T17:59:14Z",
        document: r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}, {"Action": ["account:GetAccountInformation", "account:GetGovCloudAccountInformation", "account:GetPrimaryEmail", "account:ListRegions", "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles", "organizations:DescribeEffectivePolicy", "organizations:DescribeOrganization"], "Effect": "Allow", "Resource": "*"}]}"#,
    },
    AwsManagedPolicy {
        name: "ReadOnlyAccess",
        path: "/",
        id: "ANPAILL3HVNFSB6DCOWYQ",
        description: "Provides read-only access to AWS services and resources.",
        version: 182,
        created: "2015-02-06T18:39:48Z",
        updated: "2026-04-03T15:27:12Z",
        document: include_str!("aws_managed/read_only_access.json"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_aws_is_in_order() {
        for (arn, policy) in AwsManagedPolicy::all() {
            assert_eq!(PolicyArn::parse(&arn.text).as_ref(), Some(&arn));
            assert!(AwsManagedPolicy::find(&arn).is_some(), "{}", arn.text);
            assert!(policy::parse(policy.document, Purpose::Managed).is_ok(), "{}", arn.text);
            assert!(instant(policy.created).is_some() && instant(policy.updated).is_some(), "{}", arn.text);
            assert_eq!(policy.id.len(), 21, "{}", arn.text);
        }
    }

    #[test]
    fn a_policy_of_aws_is_found_under_its_path_alone() {
        let arn = |text: &str| PolicyArn::parse(text).unwrap();
        let found = |text: &str| AwsManagedPolicy::find(&arn(text)).is_some();
        assert!(found("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"));
        assert!(!found("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"));
        assert!(!found("arn:aws:iam::123456789012:policy/service-role/AWSLambdaBasicExecutionRole"));
    }
}
