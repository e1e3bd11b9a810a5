//! The conformance suite: each test runs on each engine.

/// Declares, for each function of the module that is named, a test on each engine.
macro_rules! on_each_engine {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $name() { super::$name(crate::bed::Kind::Memory).await })*
        }
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name(crate::bed::Kind::Sqlite).await })*
        }
    };
}

mod history;
mod leases;
mod queues;
mod ranges;
mod records;
mod transactions;
mod watches;
