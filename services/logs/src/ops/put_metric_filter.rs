//! PutMetricFilter.

use platform::{Access, Attempts, Ctx};
use store::{StoreError, Tx};

use crate::api::{LogGroupClass, PutMetricFilterRequest};
use crate::children::{self, Window};
use crate::metric_filter::{Compiled, FILTERS_MAX, MetricFilter, REGEX_FILTERS_MAX};
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &PutMetricFilterRequest) -> Access {
    on_own_group(ctx, "logs:PutMetricFilter", &input.log_group_name)
}

/// Creates a metric filter, or replaces the one of its name. It works on events that come from now on.
pub(crate) async fn put_metric_filter(logs: &Logs, ctx: &Ctx, input: PutMetricFilterRequest) -> Result<(), Error> {
    check_unserved(input.apply_on_transformed_logs, input.field_selection_criteria.as_deref())?;
    if input.emit_system_field_dimensions.as_ref().is_some_and(|fields| !fields.is_empty()) {
        return Err(Error::NotServed("emitSystemFieldDimensions"));
    }
    // The model lets exactly one through.
    let transformation = input.metric_transformations.into_iter().next().unwrap_or_default();
    let compiled = Compiled::new(&input.filter_pattern, &transformation)?;
    let name = GroupName::own(ctx, &input.log_group_name);
    let filter = MetricFilter {
        name: input.filter_name,
        group: input.log_group_name,
        pattern: input.filter_pattern,
        transformation,
        created: ctx.now,
    };
    let mut attempts = Attempts::new();
    loop {
        let outcome = put(logs, &name, &filter, compiled.has_regex()).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

/// Members of filters that are about transformers and centralised logs, neither of which is served.
///
/// # Errors
/// [`Error::NotServed`]
pub(crate) fn check_unserved(on_transformed: Option<bool>, selection: Option<&str>) -> Result<(), Error> {
    if on_transformed == Some(true) {
        return Err(Error::NotServed("applyOnTransformedLogs"));
    }
    match selection {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::NotServed("fieldSelectionCriteria")),
    }
}

async fn put(logs: &Logs, name: &GroupName, filter: &MetricFilter, has_regex: bool) -> Result<(), Error> {
    let (store, scope) = (&logs.platform.store, name.scope());
    let group = group::find(store, name).await?;
    if group.class != LogGroupClass::Standard {
        return Err(Error::ClassUnsupported(group.class.as_str()));
    }
    let existing = children::read::<MetricFilter>(store, &scope, &group.storage_id, &filter.name).await?;
    if existing.is_none() && group.metric_filters >= FILTERS_MAX {
        return Err(Error::LimitExceeded);
    }
    if has_regex {
        let window = Window { limit: FILTERS_MAX, ..Window::default() };
        let others = children::list::<MetricFilter>(store, &scope, &group.storage_id, window).await?.items;
        let has_regex = |other: &&MetricFilter| {
            other.name != filter.name
                && Compiled::new(&other.pattern, &other.transformation).is_ok_and(|it| it.has_regex())
        };
        if others.iter().filter(has_regex).count() >= REGEX_FILTERS_MAX {
            return Err(Error::LimitExceeded);
        }
    }
    let mut changed = group.value.clone();
    changed.metric_filters += usize::from(existing.is_none());
    changed.metric_filters_changed += 1;
    let mut tx = Tx::new();
    tx.replace(&group, &changed);
    match existing {
        Some(old) => tx.replace(&old, &MetricFilter { created: old.value.created, ..filter.clone() }),
        None => {
            let id = children::id_of(&group.storage_id, &filter.name);
            tx.insert(&scope, &children::segments(&id), filter)
        }
    };
    store.commit(tx).await.map(drop).map_err(StoreError::into)
}
