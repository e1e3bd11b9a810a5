//! End to end: real clients and hostile ones against a running Pilvi. One module a flow.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod accounts;
mod backup;
mod boto3;
mod cloudwatch_flow;
mod containers;
mod durability;
mod ecs_flow;
mod first_minutes;
mod iam_flow;
mod images;
mod javascript;
mod lambda_flow;
mod lambda_runtimes;
mod lambda_triggers;
mod logs_flow;
mod node_process;
mod permissions_flow;
mod policies;
mod registry;
mod s3_flow;
mod security;
mod tls;
mod unserved;
