//! `bench iam`: what permissions cost a request.
//!
//! The same call by a session of the account's root, whom no policy bears on, and by a session of a role with ten managed
//! policies: their difference is the lookup of the role and its policies and their evaluation. Beside it the root's own
//! key, which tells what a session costs, and the evaluation alone, on the same ten documents.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base::{AccountId, Arn, Principal, PrincipalKind};
use clap::Args;
use policy::{Context, IdentityPolicies, Policies, Policy, Purpose, Request};
use serde::Serialize;
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::client::{self, Load, Order};
use crate::machine::Machine;
use crate::peer::{Kind, Server};
use crate::report::{Frame, Promise, Report, Verdict, heading, promise_rows, rounded, say, table, time};
use crate::setting::{Setting, first_line};
use crate::signed::{Caller, Plain};
use crate::stats::{Latency, Samples, figure, median};

/// The name of the report.
const NAME: &str = "iam";
/// SPECIFICATION.md, "the cost of permissions".
const ADDED_US_MAX: f64 = 20.0;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// The role's policies; the last is the one that allows the call.
const POLICIES: [&str; 10] = [
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AmazonECSTaskExecutionRolePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonS3ReadOnlyAccess",
    "CloudWatchLogsReadOnlyAccess",
    "IAMReadOnlyAccess",
    "AmazonSQSFullAccess",
    "AmazonECS_FullAccess",
];
/// How often the evaluation alone is measured, in one round.
const EVALUATIONS: u32 = 200_000;
const CALLERS: [usize; 2] = [1, 32];

/// Arguments of `bench iam`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Shorter and fewer rounds: for a look, not for a judgement
    #[arg(long)]
    quick: bool,
    /// Put the data directory below this folder
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Results {
    calls: Vec<Calls>,
    /// One decision over the ten policies, in microseconds.
    evaluation_us: f64,
    evaluations_per_second: f64,
    /// The medians' difference with one caller: the median over the rounds, in microseconds.
    added_p50_us: f64,
}

/// The call by both, with one number of callers.
#[derive(Debug, Serialize)]
struct Calls {
    callers: usize,
    root: Figures,
    session: Figures,
    role: Figures,
}

#[derive(Debug, Clone, Serialize)]
struct Figures {
    latency: Latency,
    per_second: f64,
}

/// Measures, shows, saves, judges.
///
/// # Errors
/// When something could not be measured, or any call was refused.
pub(crate) fn run(arguments: &Arguments) -> Result<Verdict> {
    let setting = Setting::prepare(arguments.work_dir.as_deref())?;
    let (mode, rounds, length) = match arguments.quick {
        true => ("quick", 3, Duration::from_millis(400)),
        false => ("full", 7, Duration::from_secs(2)),
    };
    let machine = Machine::here(&setting.scratch)?;
    let programs = [("pilvi", first_line(&setting.pilvi, &["version"])?)];
    let (server, _) = Server::start(&setting, Kind::Pilvi, &setting.scratch.join(NAME), &Plain::identity())?;
    let root = server.caller()?;
    let role = role_with_ten_policies(&root)?;
    let session = session_of_root(&root)?;
    let results = measure([&root, &session, &role], rounds, length)?;
    server.stop()?;
    setting.tidy()?;
    let added = Promise::at_most(
        "added to a request by a role with ten policies, p50",
        ADDED_US_MAX,
        results.added_p50_us.max(0.0),
        "µs",
    );
    let method = vec![
        format!(
            "ListClusters of an empty account, {rounds} rounds of {} s each, root, root's session and role in turn.",
            length.as_secs_f64()
        ),
        "What is added is the role's median less that of the root's session: both open a sealed token.".to_owned(),
    ];
    let frame = Frame { bench: NAME, mode, machine, programs: programs.into(), method };
    let report = Report::new(frame, results, std::collections::BTreeMap::new(), vec![added]);
    show(&report);
    let path = setting.reports.join(NAME).with_added_extension("json");
    report.save(&path)?;
    say(&format!("every figure: {}", path.display()));
    Ok(report.verdict())
}

fn measure([root, session, role]: [&Caller; 3], rounds: usize, length: Duration) -> Result<Results> {
    let mut added = Vec::new();
    let mut calls = Vec::new();
    for callers in CALLERS {
        let (mut of_root, mut of_session, mut of_role) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            of_root.push(load(root, callers, length)?);
            let (session, role) = (load(session, callers, length)?, load(role, callers, length)?);
            if callers == 1 {
                added.push(role.latency.p50_us - session.latency.p50_us);
            }
            of_session.push(session);
            of_role.push(role);
        }
        calls.push(Calls {
            callers,
            root: over_rounds(&of_root)?,
            session: over_rounds(&of_session)?,
            role: over_rounds(&of_role)?,
        });
    }
    let evaluation_us = evaluation(&documents(root)?)?;
    Ok(Results {
        calls,
        evaluation_us,
        evaluations_per_second: 1e6 / evaluation_us,
        added_p50_us: median(&added).context("no round was measured")?,
    })
}

fn over_rounds(rounds: &[Figures]) -> Result<Figures> {
    let latencies: Vec<Latency> = rounds.iter().map(|round| round.latency).collect();
    let rates: Vec<f64> = rounds.iter().map(|round| round.per_second).collect();
    let none = "no round was measured";
    let latency = Latency::over_rounds(&latencies).context(none)?;
    Ok(Figures { latency, per_second: median(&rates).context(none)? })
}

fn load(caller: &Caller, callers: usize, length: Duration) -> Result<Figures> {
    let requests = [caller.sign(&Plain {
        service: "ecs",
        target: Some("AmazonEC2ContainerServiceV20141113.ListClusters"),
        content_type: "application/x-amz-json-1.1",
        body: "{}".to_owned(),
    })?];
    let load = Load { address: caller.address, requests: &requests, order: Order::Cycle, callers, time: length };
    let outcome = client::drive(&load)?;
    ensure!(outcome.refused == 0, "a call was refused: {}", outcome.first_refusal.unwrap_or_default());
    let count = figure(u64::try_from(outcome.latencies_ns.len())?);
    let latency = Samples::new(outcome.latencies_ns).context("nothing was answered")?.latency();
    Ok(Figures { latency, per_second: count / outcome.elapsed.as_secs_f64() })
}

/// One decision over the policies, in microseconds.
fn evaluation(documents: &[String]) -> Result<f64> {
    let attached = documents.iter().map(|text| {
        let document = policy::parse(text, Purpose::Managed).context("a managed policy cannot be read")?;
        Ok(Arc::new(Policy::new("managed", document)))
    });
    let identity = IdentityPolicies { attached: attached.collect::<Result<_>>()?, ..IdentityPolicies::default() };
    let account = AccountId::DEFAULT;
    let role_arn = Arn::global("iam", account, "role/bench");
    let principal = Principal {
        account,
        arn: Arn::global("sts", account, "assumed-role/bench/bench"),
        user_id: "AROABENCH:bench".to_owned(),
        kind: PrincipalKind::AssumedRole {
            role_arn,
            role_id: "AROABENCH".to_owned(),
            session_name: "bench".to_owned(),
        },
    };
    let mut context = Context::new();
    for (key, value) in
        [("aws:RequestedRegion", "us-east-1"), ("aws:SecureTransport", "false"), ("aws:SourceIp", "127.0.0.1")]
    {
        context.set(key, value);
    }
    let request = Request {
        principal: &principal,
        action: "ecs:ListClusters",
        resource: "*",
        resource_account: account,
        context: &context,
    };
    let policies = Policies { identity: Some(&identity), ..Policies::default() };
    ensure!(policy::evaluate(&request, &policies).is_allowed(), "the ten policies do not allow the call");
    let begun = Instant::now();
    for _ in 0..EVALUATIONS {
        black_box(policy::evaluate(black_box(&request), black_box(&policies)));
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(EVALUATIONS))
}

/// A session of a role with the ten policies.
fn role_with_ten_policies(root: &Caller) -> Result<Caller> {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
    ask(root, "iam", "2010-05-08", "CreateRole", &[("RoleName", "bench"), ("AssumeRolePolicyDocument", trust)])?;
    for name in POLICIES {
        let arn = format!("arn:aws:iam::aws:policy/{name}");
        ask(root, "iam", "2010-05-08", "AttachRolePolicy", &[("RoleName", "bench"), ("PolicyArn", &arn)])?;
    }
    let arn = format!("arn:aws:iam::{}:role/bench", AccountId::DEFAULT);
    let input = [("RoleArn", arn.as_str()), ("RoleSessionName", "bench")];
    session(root, &ask(root, "sts", "2011-06-15", "AssumeRole", &input)?)
}

/// A session of the root itself.
fn session_of_root(root: &Caller) -> Result<Caller> {
    session(root, &ask(root, "sts", "2011-06-15", "GetSessionToken", &[])?)
}

/// The caller that an answer's credentials make.
fn session(root: &Caller, answer: &str) -> Result<Caller> {
    let credentials = Credentials {
        access_key_id: element(answer, "AccessKeyId")?,
        secret_access_key: SecretAccessKey::new(element(answer, "SecretAccessKey")?),
        session_token: Some(element(answer, "SessionToken")?),
    };
    Ok(Caller { credentials, ..root.clone() })
}

/// The documents of the ten policies, as the server tells them.
fn documents(root: &Caller) -> Result<Vec<String>> {
    let document = |name: &&str| {
        let arn = format!("arn:aws:iam::aws:policy/{name}");
        let policy = ask(root, "iam", "2010-05-08", "GetPolicy", &[("PolicyArn", &arn)])?;
        let version = element(&policy, "DefaultVersionId")?;
        let input = [("PolicyArn", arn.as_str()), ("VersionId", version.as_str())];
        let answer = ask(root, "iam", "2010-05-08", "GetPolicyVersion", &input)?;
        unescaped(&element(&answer, "Document")?)
    };
    POLICIES.iter().map(document).collect()
}

fn ask(caller: &Caller, service: &'static str, version: &str, action: &str, input: &[(&str, &str)]) -> Result<String> {
    let mut form = format!("Action={action}&Version={version}");
    for (name, value) in input {
        form.push_str(&format!("&{name}={}", escaped(value)));
    }
    let request = caller.sign(&Plain { service, target: None, content_type: FORM, body: form })?;
    let (status, body) = client::ask(caller.address, &request)?;
    let text = String::from_utf8(body)?;
    ensure!(status == 200, "{action} was refused: {text}");
    Ok(text)
}

/// The text of the first element of this name, which holds no other.
fn element(xml: &str, name: &str) -> Result<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let start = xml.find(&open).with_context(|| format!("no {name} in {xml}"))? + open.len();
    let length = xml[start..].find(&close).with_context(|| format!("no end of {name}"))?;
    Ok(xml[start..start + length].replace("&amp;", "&"))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn unescaped(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = (byte == b'%').then(|| std::str::from_utf8(after.get(..2)?).ok()).flatten();
        match digits {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits, 16)?);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    Ok(String::from_utf8(bytes)?)
}

fn show(report: &Report<Results>) {
    let results = report.results();
    heading("calls");
    let mut rows = vec![["callers", "", "p50", "p99", "requests/s"].map(str::to_owned)];
    for calls in &results.calls {
        for (who, figures) in
            [("root", &calls.root), ("root's session", &calls.session), ("role, ten policies", &calls.role)]
        {
            let Latency { p50_us, p99_us, .. } = figures.latency;
            let rate = format!("{:.0}", figures.per_second);
            rows.push([calls.callers.to_string(), who.to_owned(), time(p50_us), time(p99_us), rate]);
        }
    }
    print!("{}", table(&rows, 2));
    heading("evaluation alone");
    say(&format!(
        "{} a decision, {}/s on one core",
        time(results.evaluation_us),
        rounded(results.evaluations_per_second)
    ));
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_back() {
        let text = "{\"a\": \"b/c%\"}\u{e4}";
        assert_eq!(unescaped(&escaped(text)).unwrap(), text);
        assert_eq!(unescaped("a%2Fb%").unwrap(), "a/b%");
    }

    #[test]
    fn an_element_is_found_by_its_name() {
        assert_eq!(element("<A><Name>x&amp;y</Name></A>", "Name").unwrap(), "x&y");
        assert!(element("<A/>", "Name").is_err());
    }
}
