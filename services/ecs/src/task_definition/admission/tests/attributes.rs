use super::*;

/// The names that a patch of the definition on instances requires.
fn attributes(patch: Value) -> Vec<String> {
    let definition = admitted(patched(on_instances(), patch)).unwrap();
    definition.requires_attributes.into_iter().flatten().map(|it| it.name).collect()
}

#[test]
fn a_plain_definition_requires_nothing() {
    assert!(attributes(json!({})).is_empty());
    assert_eq!(admitted(on_instances()).unwrap().requires_attributes, None);
}

#[test]
fn each_setting_requires_what_an_agent_must_know_of() {
    let role = "arn:aws:iam::123456789012:role/exec";
    let logs =
        |driver: &str, options: Value| app(json!({"logConfiguration": {"logDriver": driver, "options": options}}));
    let awslogs = json!({"awslogs-group": "g", "awslogs-region": "us-east-1"});
    let rows: Vec<(Value, &[&str])> = vec![
        (
            logs("awslogs", awslogs.clone()),
            &[
                "com.amazonaws.ecs.capability.logging-driver.awslogs",
                "com.amazonaws.ecs.capability.docker-remote-api.1.19",
            ],
        ),
        (
            patched(json!({"executionRoleArn": role}), logs("awslogs", awslogs)),
            &[
                "com.amazonaws.ecs.capability.logging-driver.awslogs",
                "ecs.capability.execution-role-awslogs",
                "com.amazonaws.ecs.capability.docker-remote-api.1.19",
            ],
        ),
        (
            logs("fluentd", json!({})),
            &[
                "com.amazonaws.ecs.capability.logging-driver.fluentd",
                "com.amazonaws.ecs.capability.docker-remote-api.1.20",
            ],
        ),
        (app(json!({"memoryReservation": 32})), &["com.amazonaws.ecs.capability.docker-remote-api.1.21"]),
        (app(json!({"dockerLabels": {"a": "b"}})), &["com.amazonaws.ecs.capability.docker-remote-api.1.18"]),
        (app(json!({"privileged": true})), &["com.amazonaws.ecs.capability.privileged-container"]),
        (app(json!({"stopTimeout": 10})), &["ecs.capability.container-ordering"]),
        (app(json!({"healthCheck": {"command": ["CMD", "true"]}})), &["ecs.capability.container-health-check"]),
        (
            app(json!({"healthCheck": {"command": ["CMD", "true"], "startPeriod": 10}})),
            &["ecs.capability.container-health-check", "com.amazonaws.ecs.capability.docker-remote-api.1.29"],
        ),
        (app(json!({"restartPolicy": {"enabled": true}})), &["ecs.capability.container-restart-policy"]),
        (app(json!({"portMappings": [{"containerPortRange": "80-81"}]})), &["ecs.capability.container-port-range"]),
        (
            app(json!({"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web"})),
            &["com.amazonaws.ecs.capability.ecr-auth"],
        ),
        (json!({"taskRoleArn": "web"}), &["com.amazonaws.ecs.capability.task-iam-role"]),
        (
            json!({"taskRoleArn": "web", "networkMode": "host"}),
            &["com.amazonaws.ecs.capability.task-iam-role-network-host"],
        ),
        (json!({"pidMode": "task"}), &["ecs.capability.pid-ipc-namespace-sharing"]),
        (
            patched(
                json!({"executionRoleArn": role}),
                app(json!({"secrets": [
                    {"name": "A", "valueFrom": "a"},
                    {"name": "B", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:b"}
                ]})),
            ),
            &["ecs.capability.secrets.ssm.environment-variables", "ecs.capability.secrets.asm.environment-variables"],
        ),
        (
            json!({"volumes": [{"name": "n", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]}),
            &["ecs.capability.efs", "com.amazonaws.ecs.capability.docker-remote-api.1.25"],
        ),
    ];
    for (patch, expected) in rows {
        assert_eq!(attributes(patch.clone()), expected, "{patch}");
    }
}
