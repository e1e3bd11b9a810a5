//! What SQLite's errors mean here.

use rusqlite::Error;
use rusqlite::ffi::{ErrorCode, SQLITE_IOERR_SHMSIZE};

use crate::StoreError;

/// An error of SQLite's.
pub(super) fn engine(error: Error) -> StoreError {
    classify("", &error)
}

/// An error of SQLite's while something was done.
pub(super) fn doing(what: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| classify(what, &error)
}

fn classify(what: &str, error: &Error) -> StoreError {
    let reason = if what.is_empty() { error.to_string() } else { format!("{what}: {error}") };
    let Error::SqliteFailure(failure, _) = error else {
        return match error {
            // A value of another type than the schema's, or a row that is not there, is damage.
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::QueryReturnedNoRows => StoreError::Corrupt { reason },
            _ => StoreError::Engine { reason },
        };
    };
    match failure.code {
        ErrorCode::DiskFull => StoreError::Full,
        // SQLite could not make room for the index of its log.
        _ if failure.extended_code == SQLITE_IOERR_SHMSIZE => StoreError::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt { reason },
        _ => StoreError::Engine { reason },
    }
}
