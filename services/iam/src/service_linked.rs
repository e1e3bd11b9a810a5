//! Service-linked roles: roles that a service has in an account, and that only the service changes.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Record;

use crate::Error;
use crate::names::SERVICE_LINKED_PATH;

/// A service that has such roles.
#[derive(Debug)]
pub(crate) struct LinkedService {
    pub(crate) name: &'static str,
    pub(crate) role_name: &'static str,
    /// The name of AWS's policy for the role.
    pub(crate) policy: &'static str,
    /// Whether an account can have several, told apart by a suffix.
    pub(crate) takes_suffix: bool,
}

/// Facts of AWS, for the services that Pilvi has or is to have.
const SERVICES: [LinkedService; 9] = [
    linked("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy", true),
    linked("ecs.amazonaws.com", "AWSServiceRoleForECS", "AmazonECSServiceRolePolicy", false),
    linked(
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
        "AWSApplicationAutoscalingECSServicePolicy",
        false,
    ),
    linked(
        "eks-fargate.amazonaws.com",
        "AWSServiceRoleForAmazonEKSForFargate",
        "AmazonEKSForFargateServiceRolePolicy",
        false,
    ),
    linked(
        "eks-nodegroup.amazonaws.com",
        "AWSServiceRoleForAmazonEKSNodegroup",
        "AWSServiceRoleForAmazonEKSNodegroup",
        false,
    ),
    linked("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS", "AmazonEKSServiceRolePolicy", false),
    linked(
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy",
        false,
    ),
    linked("ops.apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway", "APIGatewayServiceRolePolicy", false),
    linked(
        "replication.ecr.amazonaws.com",
        "AWSServiceRoleForECRReplication",
        "ECRReplicationServiceRolePolicy",
        false,
    ),
];

const fn linked(
    name: &'static str,
    role_name: &'static str,
    policy: &'static str,
    takes_suffix: bool,
) -> LinkedService {
    LinkedService { name, role_name, policy, takes_suffix }
}

impl LinkedService {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.name == name)
    }

    /// The path of its roles.
    pub(crate) fn path(&self) -> String {
        format!("{SERVICE_LINKED_PATH}{}/", self.name)
    }

    /// The ARN of its policy.
    pub(crate) fn policy_arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{SERVICE_LINKED_PATH}{}", self.policy)
    }

    /// The trust policy of its roles.
    pub(crate) fn trust_policy(&self) -> String {
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": self.name}, "Action": "sts:AssumeRole"}],
        })
        .to_string()
    }

    /// The name of its role, with the suffix that it may take.
    pub(crate) fn role_name(&self, suffix: Option<&str>) -> Result<String, Error> {
        match suffix {
            None => Ok(self.role_name.to_owned()),
            Some(_) if !self.takes_suffix => Err(Error::NoSuffix { service: self.name }),
            Some(suffix) => Ok(format!("{}_{suffix}", self.role_name)),
        }
    }
}

/// The last deletion of a service-linked role; its id is the role's folded name. Nothing of Pilvi keeps such a role in
/// use, so a deletion is over when it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Deletion {
    pub(crate) task_id: String,
}

impl Record for Deletion {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "role-deletion";
}

/// The service and the role's name in `task/aws-service-role/<service>/<name>/<uuid>`.
pub(crate) fn role_of_task(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.strip_prefix("task")?.strip_prefix(SERVICE_LINKED_PATH)?.split('/');
    let (service, name, _uuid) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((service, name))
}
