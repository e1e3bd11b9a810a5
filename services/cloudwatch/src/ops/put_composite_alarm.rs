//! PutCompositeAlarm.

use std::collections::{BTreeMap, BTreeSet};

use platform::{Access, Ctx};
use store::{Tx, Versioned};

use crate::alarm::admission::{admit_composite, admit_tags};
use crate::alarm::composite::{self, AlarmRule};
use crate::alarm::history::{self, Kind, Writer};
use crate::alarm::{ALARMS_MAX, Alarm, Configuration, State};
use crate::api::PutCompositeAlarmInput;
use crate::names::{alarm_arn, alarm_of};
use crate::{CloudWatch, Error, access};

/// How often an alarm is written anew because somebody else was faster.
const ATTEMPTS_MAX: u32 = 64;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutCompositeAlarmInput) -> Access {
    let actions = [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions];
    access::to_put_alarm(ctx, "cloudwatch:PutCompositeAlarm", &input.alarm_name, actions, input.tags.as_deref())
}

/// Makes an alarm over other alarms, or gives the one of that name another configuration.
pub(crate) async fn put_composite_alarm(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    mut input: PutCompositeAlarmInput,
) -> Result<(), Error> {
    let rule = admit_composite(&input)?;
    check_children(cloudwatch, ctx, &input.alarm_name, &rule).await?;
    let tags = admit_tags(input.tags.take().as_deref())?;
    let (name, actions_enabled) = (input.alarm_name.clone(), input.actions_enabled.unwrap_or(true));
    put(cloudwatch, ctx, &name, (Configuration::Composite(input), actions_enabled, tags)).await
}

/// Every alarm of the rule is there, and none depends on the alarm itself.
async fn check_children(cloudwatch: &CloudWatch, ctx: &Ctx, own: &str, rule: &AlarmRule) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<(String, bool)> = rule.children().iter().map(|it| (child_name(ctx, it), true)).collect();
    while let Some((name, is_direct)) = open.pop() {
        if name == own {
            let message = format!("The alarm rule would make the alarm {own} depend on itself.");
            return Err(Error::Validation(message));
        }
        if !seen.insert(name.clone()) {
            continue;
        }
        let found = crate::alarm::find(&cloudwatch.platform.store, &ctx.scope(), &name).await?;
        match found {
            None if is_direct => missing.push(name),
            None => {}
            Some(alarm) => {
                let rule = alarm.composite().and_then(|it| composite::parse(&it.alarm_rule).ok());
                let children = rule.iter().flat_map(AlarmRule::children).map(|it| (child_name(ctx, it), false));
                open.extend(children.collect::<Vec<_>>());
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort();
    let missing = missing.join(", ");
    let message = format!("Could not save the composite alarm as alarms [{missing}] in the alarm rule do not exist");
    Err(Error::Validation(message))
}

/// The name of an alarm that a rule has by name or ARN.
pub(crate) fn child_name(ctx: &Ctx, child: &str) -> String {
    alarm_of(ctx, child).unwrap_or(child).to_owned()
}

/// Writes an alarm's configuration, with its history.
pub(crate) async fn put(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    name: &str,
    (configuration, actions_enabled, tags): (Configuration, bool, BTreeMap<String, String>),
) -> Result<(), Error> {
    let (store, scope) = (&cloudwatch.platform.store, ctx.scope());
    for attempt in 1.. {
        let found: Option<Versioned<Alarm>> = crate::alarm::find(store, &scope, name).await?;
        let is_metric = matches!(configuration, Configuration::Metric(_));
        if found.as_ref().is_some_and(|it| it.metric().is_some() != is_metric) {
            let message =
                format!("An alarm of another type is called {name}. Delete it first, or choose another name.");
            return Err(Error::Validation(message));
        }
        if found.is_none() {
            check_quota(cloudwatch, ctx).await?;
        }
        let alarm = Alarm {
            configuration: configuration.clone(),
            configured_at: ctx.now,
            actions_enabled,
            // Tags come with an alarm's creation; later they are TagResource's.
            tags: found.as_ref().map_or_else(|| tags.clone(), |it| it.tags.clone()),
            state: found.as_ref().map_or_else(|| State::initial(ctx.now), |it| it.state.clone()),
        };
        let mut tx = Tx::new();
        let (what, member, verb) = match &found {
            Some(found) => {
                tx.replace(found, &alarm);
                ("Update", "updatedAlarm", "updated")
            }
            None => {
                tx.insert(&scope, &[name], &alarm);
                ("Create", "createdAlarm", "created")
            }
        };
        let data = history::configuration_update(what, member, &alarm_arn(ctx, name), name, &alarm);
        let summary = format!("Alarm \"{name}\" {verb}");
        let mut writer = Writer::new(&scope, ctx.now, &*cloudwatch.platform.rng);
        writer.write(&mut tx, name, !is_metric, (Kind::ConfigurationUpdate, summary, data));
        match store.commit(tx).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {}
            outcome => return Ok(outcome.map(drop)?),
        }
    }
    Ok(())
}

async fn check_quota(cloudwatch: &CloudWatch, ctx: &Ctx) -> Result<(), Error> {
    let mut count = 0;
    let mut after: Option<String> = None;
    loop {
        let page = crate::alarm_names::page(&cloudwatch.platform.store, &ctx.scope(), "", after.as_deref()).await?;
        count += page.names.len();
        after = page.names.last().cloned();
        if count >= ALARMS_MAX {
            let message = format!("The maximum number of {ALARMS_MAX} alarms has been reached.");
            return Err(Error::LimitExceeded(message));
        }
        if !page.more {
            return Ok(());
        }
    }
}
