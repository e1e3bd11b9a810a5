//! What the members of inputs mean: whose things an attack is about, and how it names them.

use serde_json::{Value as Json, json};

use super::target::{Target, now};

/// What everything is called that an attack is about.
pub(crate) const VICTIM: &str = "victim";
/// The address of the identity provider, without its scheme.
pub(crate) const PROVIDER: &str = "victim.example.com";
/// A policy that allows everything.
pub(crate) const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
/// What times that are asked for lie before and after the present, in seconds.
const AROUND_NOW_S: i64 = 3600;

/// Whose things the inputs name, and how.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) account: String,
    /// An access key of the user called [`VICTIM`].
    pub(crate) access_key_id: String,
    /// A query of CloudWatch Logs Insights.
    pub(crate) query_id: String,
    /// A kept query of CloudWatch Logs Insights.
    pub(crate) query_definition_id: String,
    /// What points to an event that a query has found.
    pub(crate) record_pointer: String,
    /// A layer of the repository called [`VICTIM`].
    pub(crate) layer: String,
    /// An image in it.
    pub(crate) image: String,
    /// An upload in parts to the key called [`VICTIM`].
    pub(crate) upload_id: String,
    /// Whether things are named by their ARN wherever that is possible.
    pub(crate) by_arn: bool,
    /// Begin and end of the time that is asked about, in seconds since 1970; the same in each request.
    pub(crate) window: [i64; 2],
}

/// A trust policy for an account's root.
pub(crate) fn trust(account: &str) -> String {
    statement(json!({
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
    }))
}

/// A policy of one statement.
pub(crate) fn statement(statement: Json) -> String {
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

impl Names {
    /// The things of an account, by their names.
    pub(crate) fn of(account: &str) -> Self {
        let this_minute = now().as_secs() / 60 * 60;
        Self {
            account: account.to_owned(),
            access_key_id: "AKIAVICTIMVICTIM0000".to_owned(),
            query_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            query_definition_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            record_pointer: "pointer".to_owned(),
            layer: format!("sha256:{}", "1".repeat(64)),
            image: format!("sha256:{}", "2".repeat(64)),
            upload_id: "none".to_owned(),
            by_arn: false,
            window: [this_minute - AROUND_NOW_S, this_minute + AROUND_NOW_S],
        }
    }

    /// The account's bucket: buckets are named once for everybody.
    pub(crate) fn bucket(&self) -> String {
        format!("{VICTIM}-{}", self.account)
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let region = if service == "iam" { "" } else { tests::REGION };
        format!("arn:aws:{service}:{region}:{}:{resource}", self.account)
    }

    fn either(&self, service: &str, name: &str, resource: &str) -> Json {
        if self.by_arn { self.arn(service, resource).into() } else { name.into() }
    }

    /// The value of a member that means a certain thing whatever the operation; nothing for others.
    pub(super) fn value(&self, target: &Target, member: &str) -> Option<Json> {
        match target.model.name {
            "ecr" => self.of_ecr(member),
            "ecs" => self.of_ecs(target, member),
            "iam" => self.of_iam(target, member),
            "logs" => self.of_logs(target, member),
            "cloudwatch" => self.of_cloudwatch(target, member),
            "s3" => self.of_s3(target, member),
            "sts" => self.of_sts(member),
            other => panic!("say in `Names` what the members of {other}'s inputs mean"),
        }
    }

    fn of_ecr(&self, member: &str) -> Option<Json> {
        let rule = json!({
            "rulePriority": 1, "action": { "type": "expire" },
            "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 },
        });
        Some(match member {
            "repositoryName" => VICTIM.into(),
            "repositoryNames" => json!([VICTIM]),
            // Another account's registry is named by its number.
            "registryId" if self.by_arn => self.account.as_str().into(),
            "resourceArn" => self.arn("ecr", &format!("repository/{VICTIM}")).into(),
            "imageIds" => json!([{ "imageDigest": self.image }]),
            "imageId" | "subjectId" => json!({ "imageDigest": self.image }),
            "imageManifest" => "{}".into(),
            "layerDigest" => self.layer.as_str().into(),
            "layerDigests" => json!([self.layer]),
            "uploadId" => "00000000-0000-4000-8000-000000000000".into(),
            "partFirstByte" | "partLastByte" => 0.into(),
            "policyText" => statement(json!({
                "Effect": "Allow", "Action": "ecr:*", "Principal": { "AWS": self.arn("iam", "root") },
            }))
            .into(),
            "lifecyclePolicyText" => json!({ "rules": [rule], "padding": "-".repeat(100) }).to_string().into(),
            "name" => "BLOB_MOUNTING".into(),
            "value" => "DISABLED".into(),
            _ => return None,
        })
    }

    fn of_ecs(&self, target: &Target, member: &str) -> Option<Json> {
        let cluster = || self.either("ecs", VICTIM, "cluster/victim");
        let task_definition = || self.either("ecs", "victim:1", "task-definition/victim:1");
        Some(match member {
            "cluster" => cluster(),
            "clusters" => json!([cluster()]),
            "clusterName" | "family" | "familyPrefix" => VICTIM.into(),
            "taskDefinition" => task_definition(),
            "taskDefinitions" => json!([task_definition()]),
            "resourceArn" => self.arn("ecs", "cluster/victim").into(),
            "principalArn" => self.arn("iam", "user/victim").into(),
            "capacityProviders" => json!(["FARGATE"]),
            "defaultCapacityProviderStrategy" => json!([{ "capacityProvider": "FARGATE", "weight": 1 }]),
            "containerDefinitions" => json!([{ "name": "app", "image": "busybox", "memory": 64 }]),
            "include" => json!(["TAGS"]),
            "value" if target.name.starts_with("Put") => "enabled".into(),
            "settings" => json!([{ "name": "containerInsights", "value": "enabled" }]),
            _ => return None,
        })
    }

    fn of_iam(&self, target: &Target, member: &str) -> Option<Json> {
        Some(match member {
            "UserName" | "RoleName" | "GroupName" | "PolicyName" | "InstanceProfileName" => VICTIM.into(),
            "PolicyArn" | "PermissionsBoundary" => self.arn("iam", "policy/victim").into(),
            "PolicySourceArn" => self.arn("iam", "user/victim").into(),
            "OpenIDConnectProviderArn" => self.arn("iam", &format!("oidc-provider/{PROVIDER}")).into(),
            "Url" => format!("https://{PROVIDER}").into(),
            "ClientID" => VICTIM.into(),
            "ThumbprintList" => json!(["0123456789abcdef0123456789abcdef01234567"]),
            "VersionId" => "v1".into(),
            "AssumeRolePolicyDocument" => trust(&self.account).into(),
            "PolicyDocument" if target.name == "UpdateAssumeRolePolicy" => trust(&self.account).into(),
            "PolicyDocument" => POLICY.into(),
            "PolicyInputList" => json!([POLICY]),
            "ActionNames" => json!(["ecs:ListClusters"]),
            "NewUserName" | "NewGroupName" => "moved".into(),
            "AccountAlias" => format!("alias-{}", self.account).into(),
            "AWSServiceName" => "ecs.amazonaws.com".into(),
            "Status" => "Inactive".into(),
            "AccessKeyId" => self.access_key_id.as_str().into(),
            _ => return None,
        })
    }

    fn of_logs(&self, target: &Target, member: &str) -> Option<Json> {
        let arn = || Json::from(self.arn("logs", "log-group:victim"));
        Some(match member {
            "logGroupName" if self.by_arn && target.has("logGroupIdentifier") => return None,
            "logGroupName" if self.by_arn && target.has("logGroupIdentifiers") => return None,
            "logGroupIdentifier" if self.by_arn || !target.has("logGroupName") => arn(),
            "logGroupIdentifiers" if self.by_arn || target.name == "StartLiveTail" => json!([arn()]),
            "logGroupName" | "logStreamName" | "filterName" | "name" => VICTIM.into(),
            "logGroupNamePrefix" if !self.by_arn => VICTIM.into(),
            "resourceArn" if target.name.ends_with("Resource") || self.by_arn => arn(),
            "policyName" if !self.by_arn => VICTIM.into(),
            "policyDocument" => statement(json!({
                "Effect": "Allow", "Action": "logs:*", "Principal": { "AWS": self.arn("iam", "root") },
                "Resource": self.arn("logs", "log-group:victim:*"),
            }))
            .into(),
            "policyScope" if self.by_arn => "RESOURCE".into(),
            "destinationArn" => self.arn("lambda", "function:victim").into(),
            "logEvents" => json!([{ "timestamp": now().as_millis(), "message": "marker" }]),
            "logEventMessages" => json!(["marker"]),
            "filterPattern" if target.name != "FilterLogEvents" => "marker".into(),
            "metricTransformations" => {
                json!([{ "metricName": "victim", "metricNamespace": "victim", "metricValue": "1" }])
            }
            "retentionInDays" => 1.into(),
            "queryString" => "fields @message".into(),
            "queryId" => self.query_id.as_str().into(),
            "queryDefinitionId" => self.query_definition_id.as_str().into(),
            "logRecordPointer" => self.record_pointer.as_str().into(),
            "startTime" if target.name == "StartQuery" => self.window[0].into(),
            "endTime" if target.name == "StartQuery" => self.window[1].into(),
            _ => return None,
        })
    }

    fn of_cloudwatch(&self, target: &Target, member: &str) -> Option<Json> {
        let metric = || json!({ "Namespace": VICTIM, "MetricName": VICTIM });
        Some(match member {
            "MetricName" if target.name == "DescribeAlarmsForMetric" => "silent".into(),
            "AlarmName" | "MetricName" | "Namespace" => VICTIM.into(),
            "AlarmNames" => json!([VICTIM]),
            "ResourceARN" => self.arn("cloudwatch", "alarm:victim").into(),
            "AlarmRule" if self.by_arn => format!("ALARM(\"{}\")", self.arn("cloudwatch", "alarm:victim")).into(),
            "AlarmRule" => "ALARM(\"victim\")".into(),
            "ComparisonOperator" => "GreaterThanThreshold".into(),
            "EvaluationPeriods" => 1.into(),
            "Threshold" => 1e9.into(),
            "Period" => 60.into(),
            "Statistic" => "Sum".into(),
            "Statistics" => json!(["Sum"]),
            "StateValue" if target.name == "SetAlarmState" => "ALARM".into(),
            "MetricData" => json!([{ "MetricName": "marker", "Value": 1.0 }]),
            "MetricDataQueries" => {
                let mut query = json!({ "Id": "q", "MetricStat": { "Metric": metric(), "Period": 60, "Stat": "Sum" } });
                if self.by_arn {
                    query["AccountId"] = self.account.as_str().into();
                }
                json!([query])
            }
            "OwningAccount" if self.by_arn => self.account.as_str().into(),
            "IncludeLinkedAccounts" if self.by_arn => true.into(),
            "StartTime" => self.window[0].into(),
            "EndTime" => self.window[1].into(),
            _ => return None,
        })
    }

    fn of_s3(&self, target: &Target, member: &str) -> Option<Json> {
        Some(match member {
            "Bucket" => self.bucket().into(),
            "Key" => VICTIM.into(),
            "CopySource" => format!("{}/{VICTIM}", self.bucket()).into(),
            "UploadId" => self.upload_id.as_str().into(),
            "PartNumber" if !target.is_read() => 1.into(),
            "ACL" if target.name.ends_with("Acl") => "private".into(),
            "ObjectAttributes" => json!(["ETag"]),
            "Delete" => json!({ "Object": [{ "Key": VICTIM }] }),
            "MultipartUpload" => json!({ "Part": [{ "PartNumber": 1, "ETag": "\"0\"" }] }),
            "Policy" => POLICY.into(),
            _ => return None,
        })
    }

    fn of_sts(&self, member: &str) -> Option<Json> {
        Some(match member {
            "AccessKeyId" => self.access_key_id.as_str().into(),
            "RoleArn" => self.arn("iam", "role/victim").into(),
            "RoleSessionName" => "attack".into(),
            "WebIdentityToken" => "e30.e30.c2lnbmF0dXJl".into(),
            _ => return None,
        })
    }
}
