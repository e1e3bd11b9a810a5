//! What becomes of events: how often they are tried, and how old they may be.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::api::{self, DestinationConfig, OnFailure, OnSuccess};

/// How often an event is tried again unless it is said. (Developer guide, "Configuring error handling".)
pub const RETRIES_DEFAULT: u32 = 2;
/// How old an event may be unless it is said, in seconds: six hours.
pub const AGE_S_DEFAULT: u32 = 21_600;

/// What was said of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventInvoke {
    /// How often they are tried again.
    pub retries: Option<u32>,
    /// How old they may be, in seconds.
    pub age_s: Option<u32>,
    /// When it was said.
    pub modified: Timestamp,
}

/// What a request says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) retries: Option<i32>,
    pub(crate) age_s: Option<i32>,
    pub(crate) destinations: Option<DestinationConfig>,
}

impl Said {
    /// Checks it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what says nothing, [`Error::NotServed`] for destinations.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.retries.is_none() && self.age_s.is_none() && self.destinations.is_none() {
            return Err(Error::Parameter(
                "You must specify at least one of error handling or destination setting.".to_owned(),
            ));
        }
        let named = self.destinations.as_ref().is_some_and(|destinations| {
            let failure = destinations.on_failure.as_ref().and_then(|it| it.destination.as_deref());
            let success = destinations.on_success.as_ref().and_then(|it| it.destination.as_deref());
            failure.into_iter().chain(success).any(|destination| !destination.is_empty())
        });
        match named {
            true => {
                Err(Error::NotServed("Pilvi does not serve destinations of events (DestinationConfig) yet.".to_owned()))
            }
            false => Ok(()),
        }
    }

    /// What was said, upon what was said before.
    pub(crate) fn upon(&self, before: Option<&EventInvoke>, now: Timestamp) -> EventInvoke {
        let number = |said: Option<i32>| said.and_then(|said| u32::try_from(said).ok());
        EventInvoke {
            retries: number(self.retries).or(before.and_then(|before| before.retries)),
            age_s: number(self.age_s).or(before.and_then(|before| before.age_s)),
            modified: now,
        }
    }
}

impl EventInvoke {
    /// As operations answer it, of this version or alias.
    pub(crate) fn describe(&self, qualified_arn: String) -> api::FunctionEventInvokeConfig {
        let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        api::FunctionEventInvokeConfig {
            destination_config: Some(DestinationConfig {
                on_failure: Some(OnFailure::default()),
                on_success: Some(OnSuccess::default()),
            }),
            function_arn: Some(qualified_arn),
            last_modified: Some(self.modified),
            maximum_event_age_in_seconds: number(self.age_s),
            maximum_retry_attempts: number(self.retries),
        }
    }
}

/// What is told where nothing was said.
pub(crate) fn none(qualified_arn: &str) -> Error {
    Error::NotFound(format!("The function {qualified_arn} doesn't have an EventInvokeConfig"))
}

/// The error of a function that is not there, as these operations have it.
pub(crate) fn no_function(error: Error) -> Error {
    match error {
        Error::FunctionNotFound(_) => Error::NotFound("The function doesn't exist.".to_owned()),
        other => other,
    }
}
