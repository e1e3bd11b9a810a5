//! Knows which alarms there are: plans the evaluation of metric alarms, says which metrics are looked at, and evaluates
//! composite alarms, whose states follow from those of others.

use std::collections::HashMap;
use std::sync::Arc;

use base::{Arn, Timestamp};
use jiff::tz::TimeZone;
use platform::{BoxFuture, Cause, Platform, Reconciler, Round, Wake};
use store::{Listing, Scope, Tx, Versioned};

use super::Schedule;
use crate::Error;
use crate::alarm::composite::{self, AlarmRule};
use crate::alarm::reason::with_offset;
use crate::alarm::transition::{Target, transition};
use crate::alarm::{Alarm, State};
use crate::api::StateValue;
use crate::arrivals::Arrivals;

/// How many alarms are read at once.
const READ: usize = 1000;

/// Follows the alarms.
#[derive(Debug)]
pub struct AlarmIndex {
    platform: Platform,
    arrivals: Arc<Arrivals>,
    schedule: Arc<Schedule>,
}

impl AlarmIndex {
    pub(crate) fn new(platform: Platform, arrivals: Arc<Arrivals>, schedule: Arc<Schedule>) -> Self {
        Self { platform, arrivals, schedule }
    }

    async fn pass(&self) -> Result<Round, Error> {
        let now = self.platform.clock.now();
        let alarms = self.alarms().await?;
        self.arrivals.watch(self.schedule.sync(&alarms, now));
        self.arrivals.wake();
        let mut changed = Vec::new();
        let mut by_name: HashMap<(Scope, String), &Versioned<Alarm>> = HashMap::new();
        for alarm in &alarms {
            by_name.insert((alarm.scope.clone(), alarm.name().to_owned()), alarm);
        }
        for alarm in &alarms {
            let child = |name: &str| by_name.get(&(alarm.scope.clone(), child_name(&alarm.scope, name))).copied();
            let Some(target) = composite_target(alarm, &child) else { continue };
            let told = format!("{} is {}", alarm.name(), target.value.as_str());
            let mut tx = Tx::new();
            transition(&mut tx, &alarm.scope, alarm, target, (now, &*self.platform.rng));
            match self.platform.store.commit(tx).await {
                Ok(_) => changed.push(told),
                // It was changed meanwhile, which wakes this again.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let count = u64::try_from(changed.len()).unwrap_or(u64::MAX);
        Ok(Round::did(count, changed.join("; ")))
    }

    async fn alarms(&self) -> Result<Vec<Versioned<Alarm>>, Error> {
        let mut alarms = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page: Listing<Alarm> = self.platform.store.list_everywhere(after.as_deref(), READ).await?;
            alarms.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(alarms);
            }
        }
    }
}

/// What a composite alarm should be and is not.
fn composite_target<'a>(alarm: &Alarm, child: &impl Fn(&str) -> Option<&'a Versioned<Alarm>>) -> Option<Target> {
    let rule = composite::parse(&alarm.composite()?.alarm_rule).ok()?;
    let holds = rule.holds(&|name| child(name).map(|it| it.state.value));
    let value = if holds { StateValue::Alarm } else { StateValue::Ok };
    // What a person has set lasts until an alarm of the rule changes.
    let last = last_change(&rule, child);
    let is_overruled = alarm.state.is_set_by_hand
        && last.as_ref().is_none_or(|(_, state)| state.transitioned_at <= alarm.state.updated_at);
    if value == alarm.state.value || is_overruled {
        return None;
    }
    let reason = match &last {
        Some((arn, state)) => {
            format!("{arn} transitioned to {} at {}", state.value.as_str(), long_date(state.transitioned_at))
        }
        None => format!("The alarm rule evaluates to {}", if holds { "TRUE" } else { "FALSE" }),
    };
    let data = last.map(|(arn, state)| {
        let state = serde_json::json!({"value": state.value.as_str(), "timestamp": with_offset(state.transitioned_at)});
        serde_json::json!({"triggeringAlarms": [{"arn": arn, "state": state}]}).to_string()
    });
    Some(Target { value, reason: reason.chars().take(1023).collect(), reason_data: data, is_set_by_hand: false })
}

/// The alarm of the rule that changed last.
fn last_change<'a>(
    rule: &AlarmRule,
    child: &impl Fn(&str) -> Option<&'a Versioned<Alarm>>,
) -> Option<(String, &'a State)> {
    let children = rule.children().into_iter().filter_map(child);
    let last = children.max_by_key(|it| it.state.transitioned_at)?;
    Some((arn_of(&last.scope, last.name()), &last.value.state))
}

fn arn_of(scope: &Scope, name: &str) -> String {
    match (scope.region(), scope.account()) {
        (Some(region), Some(account)) => {
            Arn::regional("cloudwatch", region, account, format!("alarm:{name}")).to_string()
        }
        _ => name.to_owned(),
    }
}

fn child_name(scope: &Scope, child: &str) -> String {
    child.strip_prefix(arn_of(scope, "").as_str()).unwrap_or(child).to_owned()
}

/// `Friday 21 July, 2023 09:41:03 UTC`.
fn long_date(at: Timestamp) -> String {
    match jiff::Timestamp::from_second(at.as_secs()) {
        Ok(at) => at.to_zoned(TimeZone::UTC).strftime("%A %d %B, %Y %H:%M:%S UTC").to_string(),
        Err(_) => at.iso8601(),
    }
}

impl Reconciler for AlarmIndex {
    fn name(&self) -> &str {
        "cloudwatch/alarm-index"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Alarm>()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async { self.pass().await.map_err(Cause::from) })
    }
}
