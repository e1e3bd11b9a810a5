//! The names of alarms, in order.

use store::{Record as _, Scope, Store, StoreError};

use crate::alarm::Alarm;
use crate::page::{Names, Span, beyond, names};

/// How many names are read at once.
const READ: usize = 1000;

/// The names that begin with a prefix, after one of them.
pub(crate) async fn page(store: &Store, scope: &Scope, prefix: &str, after: Option<&str>) -> Result<Names, StoreError> {
    let base = scope.key().child(Alarm::SERVICE).child(Alarm::KIND);
    let end = beyond(prefix);
    let from = Some(prefix).filter(|it| !it.is_empty());
    names(store, Span { base: &base, from, to: end.as_deref(), after, is_reverse: false, limit: READ }).await
}
