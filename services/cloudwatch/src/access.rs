//! What operations on alarms need.

use platform::{Access, Ctx};

use crate::api::Tag;
use crate::names::alarm_arn;

/// An action on some alarms; on all of them where none is named.
pub(crate) fn to_alarms<'a>(ctx: &Ctx, action: &'static str, names: impl IntoIterator<Item = &'a String>) -> Access {
    let mut access = Access::to(action);
    let mut is_named = false;
    for name in names {
        access = access.on(alarm_arn(ctx, name));
        is_named = true;
    }
    if is_named { access } else { access.on(alarm_arn(ctx, "*")) }
}

/// Making an alarm, which may come with tags.
pub(crate) fn to_put_alarm(
    ctx: &Ctx,
    action: &'static str,
    name: &str,
    actions: [&Option<Vec<String>>; 3],
    tags: Option<&[Tag]>,
) -> Access {
    let arn = alarm_arn(ctx, name);
    let pairs: Vec<(&str, &str)> = tags.unwrap_or_default().iter().map(|it| (&it.key[..], &it.value[..])).collect();
    let targets: Vec<String> = actions.into_iter().flatten().flatten().cloned().collect();
    let mut access = Access::to(action).on(&arn);
    if !targets.is_empty() {
        access = access.keys("cloudwatch:AlarmActions", targets);
    }
    if pairs.is_empty() {
        return access;
    }
    let tagging = Access::to("cloudwatch:TagResource").on(&arn).request_tags(pairs.iter().copied());
    access.request_tags(pairs.iter().copied()).and(tagging)
}
