use base::Timestamp;
use workload::{Container, ExitStatus, Restart, RestartWhen};

use super::super::state::{Has, Now};
use super::*;

fn container(name: &str) -> Container {
    Container { name: name.to_owned(), essential: true, ..Container::default() }
}

fn dependent(name: &str, on: &str, condition: Condition) -> Container {
    Container { depends_on: vec![Dependency { container: on.to_owned(), condition }], ..container(name) }
}

fn spec(containers: Vec<Container>) -> Spec {
    Spec { containers, ..Spec::default() }
}

fn now(ms: u64) -> Now {
    Now { at: Timestamp::from_millis(i64::try_from(ms).unwrap()), ms }
}

fn exit(code: i32) -> ExitStatus {
    let at = Timestamp::from_millis(0);
    ExitStatus { code: Some(code), signal: None, out_of_memory: false, reason: None, started_at: None, at }
}

/// One that has everything and may start containers.
fn ready(spec: &Spec) -> State {
    let mut state = State::new(spec, "boot", |_| None);
    state.advance(workload::Event::Began);
    state.has = Has { network: true, volumes: true, sandbox: true };
    state
}

fn running(spec: &Spec) -> State {
    let mut state = ready(spec);
    (0..spec.containers.len()).for_each(|index| state.started(index, 1, now(0)));
    state
}

fn asked(timeout_s: Option<u32>) -> Desired {
    Desired::Stopped { timeout_s, reason: "enough".to_owned() }
}

#[test]
fn what_a_workload_needs_is_made_in_order() {
    let spec = spec(vec![container("app")]);
    let mut state = State::new(&spec, "boot", |_| None);
    let mut done = Vec::new();
    while let Next::Do(action) = next(&spec, &Desired::Running, &state, 0) {
        match &action {
            Action::Begin => state.advance(workload::Event::Began),
            Action::Network => state.has.network = true,
            Action::Volumes => state.has.volumes = true,
            Action::Sandbox => state.has.sandbox = true,
            Action::Create(0) => state.containers[0].stage = Stage::Created,
            Action::Start(0) => state.started(0, 7, now(0)),
            other => panic!("{other:?}"),
        }
        done.push(action);
    }
    use Action as A;
    assert_eq!(done, [A::Begin, A::Network, A::Volumes, A::Sandbox, A::Create(0), A::Start(0)]);
    assert_eq!(next(&spec, &Desired::Running, &state, 0), Next::Wait { until_ms: None });
}

#[test]
fn a_container_waits_for_its_conditions() {
    for (condition, what) in
        [(Condition::Started, 0), (Condition::Healthy, 1), (Condition::Succeeded, 2), (Condition::Completed, 3)]
    {
        let mut first = container("first");
        first.essential = false;
        first.health = Some(workload::HealthCheck {
            probe: workload::HealthProbe::Tcp(1),
            interval_s: 1,
            timeout_s: 1,
            retries: 1,
            start_period_s: 0,
        });
        let spec = spec(vec![dependent("second", "first", condition), first]);
        let mut state = ready(&spec);
        assert_eq!(next(&spec, &Desired::Running, &state, 0), Next::Do(Action::Create(1)), "{condition:?}");
        state.started(1, 7, now(0));
        if what == 1 {
            assert_eq!(next(&spec, &Desired::Running, &state, 0), Next::Wait { until_ms: None });
            state.probed(&spec.containers[1], 1, true, now(1));
        } else if what > 1 {
            assert_eq!(next(&spec, &Desired::Running, &state, 0), Next::Wait { until_ms: None });
            state.exited(&spec, 1, exit(if what == 2 { 0 } else { 3 }), now(1));
        }
        assert_eq!(next(&spec, &Desired::Running, &state, 0), Next::Do(Action::Create(0)), "{condition:?}");
    }
}

#[test]
fn what_can_never_be_met_or_takes_too_long_is_given_up() {
    let mut first = container("first");
    first.essential = false;
    let mut second = dependent("second", "first", Condition::Succeeded);
    second.start_timeout_s = Some(5);
    let spec = spec(vec![first, second]);
    let mut state = ready(&spec);
    state.waits_since_ms = 1000;
    state.started(0, 7, now(1000));
    assert_eq!(next(&spec, &Desired::Running, &state, 5999), Next::Wait { until_ms: Some(6000) });
    assert!(matches!(next(&spec, &Desired::Running, &state, 6000), Next::Do(Action::GiveUp(1, _))));
    state.exited(&spec, 0, exit(1), now(2000));
    let Next::Do(Action::GiveUp(1, reason)) = next(&spec, &Desired::Running, &state, 2000) else { panic!() };
    assert_eq!(reason.code, ReasonCode::DependencyFailed);
}

#[test]
fn the_end_of_what_is_essential_or_of_all_ends_the_workload() {
    let mut side = container("side");
    side.essential = false;
    let spec = spec(vec![container("app"), side]);
    let mut state = running(&spec);
    state.exited(&spec, 1, exit(0), now(1));
    assert_eq!(next(&spec, &Desired::Running, &state, 1), Next::Wait { until_ms: None });
    state.exited(&spec, 0, exit(1), now(2));
    let Next::Do(Action::End { reason, .. }) = next(&spec, &Desired::Running, &state, 2) else { panic!() };
    assert_eq!(reason.code, ReasonCode::EssentialExited);
    state.end(reason, None);
    assert_eq!(next(&spec, &Desired::Running, &state, 2), Next::Do(Action::CleanUp));
}

#[test]
fn a_container_is_started_again_after_a_pause_that_doubles_and_not_for_ever() {
    let mut app = container("app");
    app.restart = Restart { when: RestartWhen::OnFailure, retries_max: Some(2), ..Restart::default() };
    let spec = spec(vec![app]);
    let mut state = running(&spec);
    for (restart, pause) in [(1, 100), (2, 200)] {
        state.exited(&spec, 0, exit(1), now(10));
        assert_eq!(next(&spec, &Desired::Running, &state, 10), Next::Wait { until_ms: Some(10 + pause) });
        assert_eq!(next(&spec, &Desired::Running, &state, 10 + pause), Next::Do(Action::Again(0)));
        (state.containers[0].stage, state.containers[0].restarts) = (Stage::Waiting, restart);
        assert_eq!(next(&spec, &Desired::Running, &state, 10), Next::Do(Action::Create(0)));
        state.started(0, 7, now(10));
    }
    state.exited(&spec, 0, exit(1), now(20));
    assert!(matches!(state.containers[0].stage, Stage::Done(_)));
}

#[test]
fn an_exit_that_is_ignored_or_a_success_is_not_followed_by_another_start() {
    for (when, ignored, code, again) in [
        (RestartWhen::OnFailure, vec![], 0, false),
        (RestartWhen::Always, vec![], 0, true),
        (RestartWhen::Always, vec![0], 0, false),
        (RestartWhen::Never, vec![], 1, false),
    ] {
        let mut app = container("app");
        app.restart = Restart { when, ignored_exit_codes: ignored, attempt_period_s: 60, ..Restart::default() };
        let spec = spec(vec![app]);
        let mut state = running(&spec);
        state.exited(&spec, 0, exit(code), now(1000));
        match &state.containers[0].stage {
            Stage::BackOff { until_ms } => assert!(again && *until_ms == 60_000, "{until_ms}"),
            stage => assert!(!again, "{stage:?}"),
        }
    }
}

#[test]
fn containers_are_stopped_in_the_reverse_of_their_order_and_killed_in_time() {
    let spec = spec(vec![container("db"), dependent("app", "db", Condition::Started)]);
    let mut state = running(&spec);
    let Next::Do(Action::End { reason, timeout_s }) = next(&spec, &asked(Some(3)), &state, 0) else { panic!() };
    assert_eq!((reason.code, timeout_s), (ReasonCode::Asked, Some(3)));
    state.end(reason, timeout_s);
    assert_eq!(next(&spec, &asked(Some(3)), &state, 0), Next::Do(Action::Stop(1)));
    state.containers[1].stop = Some(super::super::state::Stop { kill_at_ms: 3000, killed: false });
    assert_eq!(next(&spec, &asked(Some(3)), &state, 0), Next::Wait { until_ms: Some(3000) });
    assert!(matches!(next(&spec, &asked(Some(0)), &state, 0), Next::Do(Action::End { .. })), "less patient");
    assert_eq!(next(&spec, &asked(Some(3)), &state, 3000), Next::Do(Action::Kill(1)));
    state.containers[1].stop = Some(super::super::state::Stop { kill_at_ms: 3000, killed: true });
    assert_eq!(next(&spec, &asked(Some(3)), &state, 4000), Next::Wait { until_ms: None });
    state.exited(&spec, 1, exit(137), now(4000));
    assert_eq!(next(&spec, &asked(Some(3)), &state, 4000), Next::Do(Action::Stop(0)));
    state.exited(&spec, 0, exit(143), now(4000));
    assert_eq!(next(&spec, &asked(Some(3)), &state, 4000), Next::Do(Action::CleanUp));
    state.advance(workload::Event::Removed);
    assert_eq!(next(&spec, &asked(Some(3)), &state, 4000), Next::Rest);
}

#[test]
fn what_is_frozen_is_thawed_before_it_is_stopped() {
    let spec = spec(vec![container("app")]);
    let mut state = running(&spec);
    state.is_frozen = true;
    state.end(Reason::new(ReasonCode::Asked, ""), None);
    assert_eq!(next(&spec, &asked(None), &state, 0), Next::Do(Action::Thaw));
}

#[test]
fn failures_while_a_container_starts_do_not_count_and_later_ones_must_be_in_a_row() {
    let mut app = container("app");
    app.health = Some(workload::HealthCheck {
        probe: workload::HealthProbe::Tcp(1),
        interval_s: 1,
        timeout_s: 1,
        retries: 2,
        start_period_s: 10,
    });
    let spec = spec(vec![app]);
    let mut state = running(&spec);
    let mut probe = |is_well, ms| {
        state.probed(&spec.containers[0], 0, is_well, now(ms));
        state.containers[0].health
    };
    for ms in 0..10 {
        assert_eq!(probe(false, ms), Health::Unknown);
    }
    assert_eq!(probe(false, 10_000), Health::Unknown);
    assert_eq!(probe(false, 11_000), Health::Unhealthy);
    assert_eq!(probe(true, 12_000), Health::Healthy);
    assert_eq!(probe(false, 13_000), Health::Healthy);
    assert_eq!(probe(true, 14_000), Health::Healthy);
    assert_eq!(probe(false, 15_000), Health::Healthy);
    assert_eq!(probe(false, 16_000), Health::Unhealthy);
}
