//! Who is told of which events: a bucket's notification configuration, and the events on their way.
//!
//! Source: user guide, "Amazon S3 Event Notifications"; API reference, PutBucketNotificationConfiguration.

mod deliver;

use base::{Arn, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Record, Tx, Versioned};

use crate::bucket::{Bucket, Setting, setting};
use crate::event::{self, Cause, Change, Place};
use crate::{Error, S3};

pub use deliver::{Delivery, Destinations, NoDestinations, Refusal, dispatcher, outbox};

/// The longest value of a filter rule, in bytes.
const FILTER_BYTES_MAX: usize = 1024;
/// The most configurations of a bucket. (User guide: "Amazon S3 quotas": 100.)
const RULES_MAX: usize = 100;
/// What the events of a bucket can be, without `s3:`; `*` stands for all of a group.
const EVENTS: [&str; 31] = [
    "ReducedRedundancyLostObject",
    "ObjectCreated:*",
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:*",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "ObjectRestore:*",
    "ObjectRestore:Post",
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "Replication:*",
    "Replication:OperationFailedReplication",
    "Replication:OperationNotTracked",
    "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold",
    "LifecycleTransition",
    "IntelligentTiering",
    "ObjectAcl:Put",
    "LifecycleExpiration:*",
    "LifecycleExpiration:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
    "ObjectTagging:*",
    "ObjectTagging:Put",
    "ObjectTagging:Delete",
    "ObjectAnnotation:*",
    "ObjectAnnotation:Put",
    "ObjectAnnotation:Delete",
    "ObjectAcl:*",
];

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// A Lambda function.
    #[serde(rename = "function")]
    Function(String),
    /// An SQS queue.
    #[serde(rename = "queue")]
    Queue(String),
    /// An SNS topic.
    #[serde(rename = "topic")]
    Topic(String),
}

/// Which events go where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// The events, with `s3:`.
    pub events: Vec<String>,
    /// What keys begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What keys end with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Where.
    pub target: Target,
}

/// A bucket's notification configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// The rules, as they were given.
    pub rules: Vec<Rule>,
    /// Whether EventBridge gets every event.
    pub event_bridge: bool,
}

impl Record for Notifications {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket-notifications";
}

impl Setting for Notifications {}

impl Target {
    /// Its ARN.
    pub fn arn(&self) -> &str {
        match self {
            Self::Function(arn) | Self::Queue(arn) | Self::Topic(arn) => arn,
        }
    }

    /// The region in its ARN.
    fn region(&self) -> Option<String> {
        self.arn().parse::<Arn>().ok().map(|arn| arn.region)
    }

    /// The service that it belongs to, as ARNs name it.
    pub fn service(&self) -> &'static str {
        match self {
            Self::Function(_) => "lambda",
            Self::Queue(_) => "sqs",
            Self::Topic(_) => "sns",
        }
    }

    /// What its ARN is called in the configuration.
    pub fn argument(&self) -> &'static str {
        match self {
            Self::Function(_) => "CloudFunction",
            Self::Queue(_) => "Queue",
            Self::Topic(_) => "Topic",
        }
    }
}

impl Rule {
    /// A rule of what a configuration says; filter rules by their names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], in AWS's words.
    pub fn new(id: String, events: Vec<String>, filter: &[(&str, &str)], target: Target) -> Result<Self, Error> {
        for event in &events {
            let known = event.strip_prefix("s3:").is_some_and(|event| EVENTS.contains(&event));
            if !known {
                let message = "The event is not supported for notifications";
                return Err(Error::argument("Event", event.as_str(), message));
            }
        }
        if events.is_empty() {
            return Err(Error::MalformedXml);
        }
        let is_of_service = target.arn().parse::<Arn>().is_ok_and(|arn| arn.service == target.service());
        if !is_of_service {
            return Err(Error::argument(target.argument(), target.arn(), "The ARN could not be parsed"));
        }
        let mut rule = Self { id, events, prefix: None, suffix: None, target };
        for (name, value) in filter {
            rule.add_filter(name, value)?;
        }
        Ok(rule)
    }

    fn add_filter(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if value.len() > FILTER_BYTES_MAX {
            let message = "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation";
            return Err(Error::argument("FilterRule.Value", value, message));
        }
        let (place, message) = match name.to_ascii_lowercase().as_str() {
            "prefix" => (&mut self.prefix, "Cannot specify more than one prefix rule in a filter."),
            "suffix" => (&mut self.suffix, "Cannot specify more than one suffix rule in a filter."),
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(Error::argument("FilterRule.Name", name, message));
            }
        };
        match place.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Error::argument("FilterRule.Name", name, message)),
        }
    }

    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    fn suffix(&self) -> &str {
        self.suffix.as_deref().unwrap_or_default()
    }

    /// Whether it wants an event, named without `s3:`, of a key.
    pub fn wants(&self, event: &str, key: &str) -> bool {
        key.starts_with(self.prefix())
            && key.ends_with(self.suffix())
            && self.events.iter().filter_map(|listed| listed.strip_prefix("s3:")).any(|listed| covers(listed, event))
    }

    /// Whether one event of one key could be wanted by both.
    fn overlaps(&self, other: &Self) -> bool {
        let share = |one: &str, two: &str| covers(one, two) || covers(two, one);
        self.events.iter().any(|one| other.events.iter().any(|two| share(one, two)))
            && (self.prefix().starts_with(other.prefix()) || other.prefix().starts_with(self.prefix()))
            && (self.suffix().ends_with(other.suffix()) || other.suffix().ends_with(self.suffix()))
    }
}

/// Whether a listed event is that event, or a group that has it.
fn covers(listed: &str, event: &str) -> bool {
    match listed.strip_suffix('*') {
        Some(group) => event.starts_with(group),
        None => listed == event,
    }
}

impl Notifications {
    /// Checks what no rule can say of itself.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]
    pub fn check(&self) -> Result<(), Error> {
        if self.rules.len() > RULES_MAX {
            return Err(Error::InvalidRequest(format!(
                "A bucket can have up to {RULES_MAX} notification configurations"
            )));
        }
        for (position, rule) in self.rules.iter().enumerate() {
            let before = &self.rules[..position];
            if before.iter().any(|other| other.id == rule.id) {
                return Err(Error::argument(
                    "Id",
                    rule.id.as_str(),
                    "Same ID used for multiple configurations. IDs must be unique",
                ));
            }
            if before.iter().any(|other| other.overlaps(rule)) {
                let message =
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
                return Err(Error::argument(rule.target.argument(), rule.target.arn(), message));
            }
        }
        Ok(())
    }

    /// Whether nobody is told of anything.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && !self.event_bridge
    }
}

impl S3 {
    /// Puts the events of a change into its transaction.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        bucket: &Versioned<Bucket>,
        key: &str,
        cause: &Cause,
        change: Change,
    ) -> Result<(), Error> {
        let Some(notifications) = setting::<Notifications>(&self.platform.store, bucket).await? else {
            return Ok(());
        };
        let place = Place { bucket: &bucket.name, owner: bucket.owner, region: &bucket.region, key };
        let name = event::name(cause.by, change.kind);
        let wanted = notifications.rules.iter().filter(|rule| rule.wants(name, key));
        let mut deliveries: Vec<Delivery> = wanted
            .map(|rule| Delivery {
                target: Some(rule.target.clone()),
                bucket_arn: bucket.arn(),
                account: bucket.owner,
                region: bucket.region.clone(),
                message: event::message(place, cause, &change, &rule.id),
            })
            .collect();
        if notifications.event_bridge {
            deliveries.push(Delivery {
                target: None,
                bucket_arn: bucket.arn(),
                account: bucket.owner,
                region: bucket.region.clone(),
                message: event::bus_event(place, cause, &change, &base::ids::uuid(&*self.platform.rng)),
            });
        }
        let ordered_by = |delivery: &Delivery| {
            let target = delivery.target.as_ref().map_or("events", Target::arn);
            format!("{}\0{key}\0{target}", bucket.uid)
        };
        self.outbox.put_all(tx, deliveries.into_iter().map(|delivery| (ordered_by(&delivery), delivery)));
        Ok(())
    }

    /// Checks the destinations of a configuration, and sends queues and topics the test event.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], in AWS's words, for one that is not there, is in another region or does not let this bucket
    /// in.
    pub(crate) async fn check_destinations(
        &self,
        bucket: &Bucket,
        notifications: &Notifications,
        now: Timestamp,
        request_id: &str,
    ) -> Result<(), Error> {
        for rule in &notifications.rules {
            if rule.target.region().is_some_and(|region| region != bucket.region.as_str()) {
                let message =
                    "The notification destination service region is not valid for the bucket location constraint";
                return Err(Error::argument(rule.target.argument(), rule.target.arn(), message));
            }
            let test: Option<Value> = match rule.target {
                Target::Function(_) => None,
                Target::Queue(_) | Target::Topic(_) => Some(event::test_message(&bucket.name, now, request_id)),
            };
            self.destinations.validate(&rule.target, bucket, test).await.map_err(|Refusal(reason)| {
                tracing::debug!(arn = rule.target.arn(), reason, "a destination was refused");
                let message = "Unable to validate the following destination configurations";
                Error::argument(rule.target.argument(), rule.target.arn(), message)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

    fn rule(events: &[&str], prefix: &str, suffix: &str) -> Rule {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let filter = [("Prefix", prefix), ("suffix", suffix)];
        Rule::new(format!("{prefix}{suffix}{events:?}"), events, &filter, Target::Queue(QUEUE.to_owned())).unwrap()
    }

    fn refused(events: &[&str], filter: &[(&str, &str)], target: Target) -> String {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        Rule::new("r".to_owned(), events, filter, target).unwrap_err().to_string()
    }

    #[test]
    fn a_filter_looks_at_the_key_as_it_is() {
        let photos = rule(&["s3:ObjectCreated:*"], "my photos/", ".jpg");
        assert!(photos.wants("ObjectCreated:Put", "my photos/ä.jpg"));
        assert!(!photos.wants("ObjectCreated:Put", "my+photos/a.jpg"));
        assert!(!photos.wants("ObjectRemoved:Delete", "my photos/a.jpg"));
        assert!(!photos.wants("ObjectCreated:Copy", "my photos/a.png"));
        assert!(rule(&["s3:ObjectRemoved:Delete"], "", "").wants("ObjectRemoved:Delete", "x"));
    }

    #[test]
    fn rules_overlap_where_one_event_of_one_key_could_be_wanted_by_both() {
        let put = &["s3:ObjectCreated:Put"][..];
        let check = |one: Rule, two: Rule| Notifications { rules: vec![one, two], event_bridge: false }.check();
        assert!(check(rule(put, "a", ".jpg"), rule(put, "b", ".jpg")).is_ok());
        assert!(check(rule(put, "a", ".jpg"), rule(put, "a/b", ".png")).is_ok());
        assert!(check(rule(put, "a", ".jpg"), rule(&["s3:ObjectCreated:Copy"], "a", "")).is_ok());
        assert!(check(rule(put, "a", ".jpg"), rule(&["s3:ObjectCreated:*"], "a/b", "x.jpg")).is_err());
        assert!(check(rule(put, "", ""), rule(put, "x", "y")).is_err());
    }

    #[test]
    fn what_is_not_a_rule_is_refused_in_the_words_that_clients_know() {
        let queue = || Target::Queue(QUEUE.to_owned());
        assert!(refused(&["s3:ObjectLost"], &[], queue()).contains("not supported"));
        let put = &["s3:ObjectCreated:Put"];
        assert!(refused(put, &[("prefix", "a"), ("prefix", "b")], queue()).contains("more than one prefix"));
        assert!(refused(put, &[("middle", "a")], queue()).contains("either prefix or suffix"));
        assert!(refused(put, &[], Target::Topic(QUEUE.to_owned())).contains("ARN"));
        assert!(refused(put, &[("prefix", &"a".repeat(1025))], queue()).contains("1024"));
    }
}
