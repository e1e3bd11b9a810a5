//! SetAlarmState.

use platform::{Access, Ctx};
use store::Tx;

use crate::alarm::transition::{Target, transition};
use crate::api::SetAlarmStateInput;
use crate::{CloudWatch, Error, access};

/// How often a state is set anew because the alarm has changed.
const ATTEMPTS_MAX: u32 = 64;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &SetAlarmStateInput) -> Access {
    access::to_alarms(ctx, "cloudwatch:SetAlarmState", [&input.alarm_name])
}

/// Sets an alarm's state until its next evaluation.
pub(crate) async fn set_alarm_state(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: SetAlarmStateInput,
) -> Result<(), Error> {
    let is_json = |data: &String| serde_json::from_str::<serde_json::Value>(data).is_ok();
    if input.state_reason_data.as_ref().is_some_and(|data| !is_json(data)) {
        return Err(Error::Format("StateReasonData is not valid JSON.".to_owned()));
    }
    let (store, scope) = (&cloudwatch.platform.store, ctx.scope());
    for attempt in 1.. {
        let Some(alarm) = crate::alarm::find(store, &scope, &input.alarm_name).await? else {
            return Err(Error::NotFound(format!("The alarm {} does not exist.", input.alarm_name)));
        };
        let target = Target {
            value: input.state_value,
            reason: input.state_reason.clone(),
            reason_data: input.state_reason_data.clone(),
            is_set_by_hand: true,
        };
        let mut tx = Tx::new();
        transition(&mut tx, &scope, &alarm, target, (ctx.now, &*cloudwatch.platform.rng));
        match store.commit(tx).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {}
            outcome => return Ok(outcome.map(drop)?),
        }
    }
    Ok(())
}
