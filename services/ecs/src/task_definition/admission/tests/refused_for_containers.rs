use super::*;

#[test]
fn a_container_that_breaks_a_rule_is_refused() {
    let nofile = json!({"name": "nofile", "softLimit": 2, "hardLimit": 1});
    assert_refused(
        on_instances,
        vec![
            (json!({"containerDefinitions": []}), "Container list cannot be empty."),
            (
                json!({"containerDefinitions": (0..11).map(|n| json!({"name": format!("c{n}"), "image": "i", "memory": 8})).collect::<Vec<_>>()}),
                "Too many containers.",
            ),
            (app(json!({"name": null})), "Container.name should not be null or empty."),
            (app(json!({"name": "a b"})), "Container.name contains invalid characters."),
            (app(json!({"name": "x".repeat(256)})), "Container.name contains invalid characters."),
            (
                json!({"containerDefinitions": [{}, {"name": "app", "image": "busybox", "memory": 64}]}),
                "Container names must be unique within a task definition.",
            ),
            (app(json!({"image": null})), "Container.image should not be null or empty."),
            (app(json!({"image": ""})), "Container.image should not be null or empty."),
            (app(json!({"image": "busy box"})), "Container.image contains invalid characters."),
            (app(json!({"essential": false})), "Task definition doesn't have any essential container."),
            (
                app(json!({"memory": null})),
                "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.",
            ),
            (
                app(json!({"memoryReservation": 128})),
                "Invalid setting for container 'app'. 'memory' must be greater than or equal to 'memoryReservation'.",
            ),
            (app(json!({"memory": 5})), "Invalid setting for container 'app'. 'memory' must be at least 6."),
            (
                patched(json!({"memory": "512"}), app(json!({"memory": 1024}))),
                "The 'memory' setting for container 'app' is greater than for the task.",
            ),
            (
                json!({"memory": "100", "containerDefinitions": [{}, {"name": "b", "image": "i", "memory": 64}]}),
                "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.",
            ),
            (
                patched(json!({"cpu": "256"}), app(json!({"cpu": 257}))),
                "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
            ),
            (app(json!({"cpu": -1})), "Invalid 'cpu' setting for container 'app'."),
            (app(json!({"startTimeout": 1})), "Granular start timeout on container 'app' must be at least 2 seconds."),
            (app(json!({"stopTimeout": 0})), "Granular stop timeout on container 'app' must be at least 2 seconds."),
            (app(json!({"ulimits": [nofile]})), "Soft limit exceeds hard limit for ulimit nofile"),
            (app(json!({"linuxParameters": {"swappiness": 101}})), "Invalid 'swappiness' setting for container 'app'."),
            (
                app(json!({"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 0}]}})),
                "Invalid 'tmpfs' setting for container 'app'.",
            ),
            (
                app(json!({"environment": [{"value": "1"}]})),
                "Environment variable name cannot be null or empty for container 'app'.",
            ),
            (
                app(json!({"restartPolicy": {"enabled": true, "restartAttemptPeriod": 59}})),
                "The 'restartAttemptPeriod' setting for container 'app' must be between 60 and 1800.",
            ),
            (
                app(json!({"restartPolicy": {"enabled": true, "ignoredExitCodes": (0..51).collect::<Vec<_>>()}})),
                "The 'ignoredExitCodes' setting for container 'app' must have at most 50 entries.",
            ),
            (
                patched(
                    json!({"networkMode": "host"}),
                    app(json!({"systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}]})),
                ),
                "Invalid 'systemControls' setting for container 'app'.",
            ),
        ],
    );
}

#[test]
fn a_health_check_keeps_to_its_bounds() {
    let health = |patch: Value| app(json!({"healthCheck": patched(json!({"command": ["CMD", "true"]}), patch)}));
    let mut rows = vec![
        (
            health(json!({"command": ["true"]})),
            "Health check command must start with CMD, CMD-SHELL or NONE for container 'app'",
        ),
        (
            health(json!({"command": ["CMD"]})),
            "Health check command must start with CMD, CMD-SHELL or NONE for container 'app'",
        ),
    ];
    for (setting, value, message) in [
        (
            "interval",
            301,
            "Health check interval must be less than or equal to the maximum allowed value 300 for container 'app'",
        ),
        (
            "interval",
            4,
            "Health check interval must be greater than or equal to the minimum allowed value 5 for container 'app'",
        ),
        (
            "timeout",
            61,
            "Health check timeout must be less than or equal to the maximum allowed value 60 for container 'app'",
        ),
        (
            "timeout",
            1,
            "Health check timeout must be greater than or equal to the minimum allowed value 2 for container 'app'",
        ),
        (
            "retries",
            11,
            "Health check retries must be less than or equal to the maximum allowed value 10 for container 'app'",
        ),
        (
            "retries",
            0,
            "Health check retries must be greater than or equal to the minimum allowed value 1 for container 'app'",
        ),
        (
            "startPeriod",
            301,
            "Health check startPeriod must be less than or equal to the maximum allowed value 300 for container 'app'",
        ),
        (
            "startPeriod",
            -1,
            "Health check startPeriod must be greater than or equal to the minimum allowed value 0 for container 'app'",
        ),
    ] {
        rows.push((health(json!({setting: value})), message));
    }
    assert_refused(on_instances, rows);
}

#[test]
fn containers_wait_only_for_what_can_come() {
    let with = |condition: &str, name: &str, second: Value| {
        let sidecar = patched(json!({"name": "sidecar", "image": "i", "memory": 8}), second);
        json!({"containerDefinitions": [{"dependsOn": [{"containerName": name, "condition": condition}]}, sidecar]})
    };
    let essential = "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container";
    assert_refused(
        on_instances,
        vec![
            (with("START", "nope", json!({})), "Cannot depend on container + 'nope' because it does not exist"),
            (with("START", "app", json!({})), "Container dependsOn contains a cycle"),
            (with("SUCCESS", "sidecar", json!({})), essential),
            (with("COMPLETE", "sidecar", json!({})), essential),
            (
                with("HEALTHY", "sidecar", json!({})),
                "A dependency container with HEALTHY condition must have health check configured",
            ),
            (
                with("START", "sidecar", json!({"dependsOn": [{"containerName": "app", "condition": "START"}]})),
                "Container dependsOn contains a cycle",
            ),
        ],
    );
    for (condition, second) in [
        ("START", json!({})),
        ("SUCCESS", json!({"essential": false})),
        ("HEALTHY", json!({"healthCheck": {"command": ["NONE"]}})),
    ] {
        admitted(patched(on_instances(), with(condition, "sidecar", second))).unwrap();
    }
}

#[test]
fn ports_fit_the_network_mode_and_each_other() {
    let ports =
        |mode: &str, mappings: Value| patched(json!({"networkMode": mode}), app(json!({"portMappings": mappings})));
    assert_refused(
        on_instances,
        vec![
            (ports("none", json!([{"containerPort": 80}])), "Port mappings are not supported when networkMode=none."),
            (ports("bridge", json!([{}])), "Invalid 'containerPort' setting for container 'app'."),
            (
                ports("bridge", json!([{"containerPort": 65536}])),
                "Invalid 'containerPort' setting for container 'app'.",
            ),
            (
                ports("bridge", json!([{"containerPort": 80, "hostPort": -1}])),
                "Invalid 'hostPort' setting for container 'app'.",
            ),
            (
                ports("awsvpc", json!([{"containerPort": 8080, "hostPort": 9090}])),
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ),
            (
                ports("host", json!([{"containerPort": 8080, "hostPort": 9090}])),
                "When networkMode=host, the host ports and container ports in port mappings must match.",
            ),
            (
                ports("bridge", json!([{"containerPortRange": "80-90", "hostPort": 80}])),
                "Invalid port mapping for container 'app', cannot specify both single port and port range.",
            ),
            (
                ports("bridge", json!([{"containerPortRange": "90-80"}])),
                "Invalid 'containerPortRange' setting for container 'app'.",
            ),
            (
                ports("host", json!([{"containerPortRange": "80-90"}])),
                "Invalid 'containerPortRange' setting for container 'app'.",
            ),
            (
                ports("awsvpc", json!([{"containerPortRange": "8080-8090"}, {"containerPort": 8085}])),
                "TCP container port '8085' is used multiple times in task when networkMode=awsvpc.",
            ),
            (
                ports("bridge", json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}])),
                "TCP host port '80' is used multiple times in task.",
            ),
            (
                ports("awsvpc", json!([{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}])),
                "When networkMode=awsvpc, port mapping name is already used",
            ),
            (
                ports("awsvpc", json!([{"containerPort": 80, "name": "-a"}])),
                "Invalid 'portMappings.name' setting for container 'app'.",
            ),
        ],
    );
    admitted(patched(
        on_instances(),
        ports("awsvpc", json!([{"containerPort": 53, "protocol": "udp"}, {"containerPort": 53}])),
    ))
    .unwrap();
}

#[test]
fn a_containers_network_settings_are_not_its_own_in_awsvpc_mode() {
    let in_mode = |mode: &str, patch: Value| patched(json!({"networkMode": mode}), app(patch));
    assert_refused(
        on_instances,
        vec![
            (in_mode("awsvpc", json!({"links": ["app"]})), "Links are not supported when networkMode=awsvpc."),
            (in_mode("host", json!({"links": ["app"]})), "Links are not supported when networkMode=host."),
            (app(json!({"links": ["nope:db"]})), "Invalid 'links' setting. Unknown container: 'nope'."),
            (
                in_mode("awsvpc", json!({"hostname": "web"})),
                "hostname is not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"disableNetworking": true})),
                "Disable Networking is not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"dnsServers": ["10.0.0.2"]})),
                "DNS servers are not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"dnsSearchDomains": ["internal"]})),
                "DNS search domains are not supported on container when networkMode=awsvpc.",
            ),
            (
                in_mode("awsvpc", json!({"extraHosts": [{"hostname": "a", "ipAddress": "10.0.0.1"}]})),
                "Extra hosts are not supported on container when networkMode=awsvpc.",
            ),
        ],
    );
}

#[test]
fn logs_go_where_their_driver_can_send_them() {
    let logs = |patch: Value| app(json!({"logConfiguration": patch}));
    let awslogs = |options: Value| {
        let base = json!({"awslogs-group": "g", "awslogs-region": "us-east-1"});
        logs(json!({"logDriver": "awslogs", "options": patched(base, options)}))
    };
    let firelens = |options: Value| app(json!({"firelensConfiguration": {"type": "fluentbit", "options": options}}));
    admitted(patched(on_instances(), awslogs(json!({"mode": "non-blocking", "max-buffer-size": "1m"})))).unwrap();
    assert_refused(
        on_instances,
        vec![
            (
                logs(json!({"logDriver": "awslogs"})),
                "Log driver awslogs requires options: awslogs-region, awslogs-group",
            ),
            (
                logs(json!({"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1"}})),
                "Log driver awslogs requires options: awslogs-group",
            ),
            (
                logs(json!({"logDriver": "splunk", "options": {"splunk-token": "t"}})),
                "Log driver splunk requires options: splunk-url",
            ),
            (awslogs(json!({"log_key": "log"})), "Log driver awslogs disallows options: log_key"),
            (
                awslogs(json!({"mode": "sometimes"})),
                "Invalid log driver mode 'sometimes'. Must be one of [blocking,non-blocking]",
            ),
            (
                logs(json!({"logDriver": "awsfirelens"})),
                "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be \
                 configured in one of the containers.",
            ),
            (
                firelens(json!({"config-file-type": "s3", "config-file-value": "s3://bucket/fluent.conf"})),
                "Invalid arn syntax.",
            ),
            (firelens(json!({"color": "red"})), "Invalid firelens configuration option 'color'."),
            (
                firelens(json!({"config-file-type": "file"})),
                "Invalid firelens configuration option 'config-file-value'.",
            ),
        ],
    );
}

#[test]
fn secrets_have_a_name_of_their_own_and_a_source_that_can_be_read() {
    let role = json!({"executionRoleArn": "arn:aws:iam::123456789012:role/exec"});
    let secret =
        |value_from: &str| patched(role.clone(), app(json!({"secrets": [{"name": "TOKEN", "valueFrom": value_from}]})));
    let files = |values: &[&str]| {
        let files: Vec<Value> = values.iter().map(|value| json!({"type": "s3", "value": value})).collect();
        app(json!({"environmentFiles": files}))
    };
    assert_refused(
        on_instances,
        vec![
            (
                app(json!({"secrets": [{"name": "TOKEN", "valueFrom": "token"}]})),
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ),
            (
                patched(secret("token"), app(json!({"environment": [{"name": "TOKEN", "value": "x"}]}))),
                "The secret name must be unique and not shared with any new or existing environment variables set on \
                 the container, such as 'TOKEN'.",
            ),
            (
                secret("arn:aws:ssm:us-east-1:999999999999:parameter/token"),
                "The Systems Manager parameter ARN has a different account ID than the current account. The current \
                 account ID is 123456789012 and the ARN account ID is 999999999999. Cross-account access for ARNs is \
                 not currently supported.",
            ),
            (secret("arn:aws:s3:::bucket/token"), "Invalid arn syntax."),
            (files(&["bucket/web.env"]), "Invalid arn syntax."),
            (
                files(&["arn:aws:s3:::bucket/web.txt"]),
                "The environment file must have a .env file extension. Specify a valid file and try again.",
            ),
            (
                files(&["arn:aws:s3:::bucket/web.env"; 11]),
                "The maximum number of environment files was exceeded. Specify ten or less and try again.",
            ),
        ],
    );
    for source in [
        "token",
        "/team/token",
        "arn:aws:ssm:us-east-1:123456789012:parameter/team/token",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-AbCdEf:key::",
    ] {
        admitted(patched(on_instances(), secret(source))).unwrap();
    }
}
