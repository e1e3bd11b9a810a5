//! DeleteAlarms.

use platform::{Access, Ctx};
use store::Tx;

use crate::alarm::history::{self, Kind, Writer};
use crate::api::DeleteAlarmsInput;
use crate::names::alarm_arn;
use crate::{CloudWatch, Error, access};

/// How often a deletion is tried anew because the alarm has changed.
const ATTEMPTS_MAX: u32 = 64;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteAlarmsInput) -> Access {
    access::to_alarms(ctx, "cloudwatch:DeleteAlarms", &input.alarm_names)
}

/// Deletes alarms, each on its own; one that is not there is passed over. Their history stays.
pub(crate) async fn delete_alarms(cloudwatch: &CloudWatch, ctx: &Ctx, input: DeleteAlarmsInput) -> Result<(), Error> {
    for name in &input.alarm_names {
        delete(cloudwatch, ctx, name).await?;
    }
    Ok(())
}

async fn delete(cloudwatch: &CloudWatch, ctx: &Ctx, name: &str) -> Result<(), Error> {
    let (store, scope) = (&cloudwatch.platform.store, ctx.scope());
    for attempt in 1.. {
        let Some(alarm) = crate::alarm::find(store, &scope, name).await? else { return Ok(()) };
        let mut tx = Tx::new();
        tx.remove(&alarm);
        let data = history::configuration_update("Delete", "deletedAlarm", &alarm_arn(ctx, name), name, &alarm);
        let mut writer = Writer::new(&scope, ctx.now, &*cloudwatch.platform.rng);
        let summary = format!("Alarm \"{name}\" deleted");
        writer.write(&mut tx, name, alarm.composite().is_some(), (Kind::ConfigurationUpdate, summary, data));
        match store.commit(tx).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {}
            outcome => return Ok(outcome.map(drop)?),
        }
    }
    Ok(())
}
