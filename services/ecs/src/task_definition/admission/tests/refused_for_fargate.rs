use super::*;

#[test]
fn what_fargate_has_not_is_refused() {
    let linux = |patch: Value| app(json!({"linuxParameters": patch}));
    let logs =
        |driver: &str, options: Value| app(json!({"logConfiguration": {"logDriver": driver, "options": options}}));
    let group = json!({"awslogs-group": "g", "awslogs-region": "us-east-1"});
    let volume = |patch: Value| json!({"volumes": [patched(json!({"name": "data"}), patch)]});
    assert_refused(
        on_fargate,
        vec![
            (json!({"networkMode": "bridge"}), "Fargate only supports network mode ‘awsvpc’."),
            (json!({"networkMode": null}), "Fargate only supports network mode ‘awsvpc’."),
            (json!({"cpu": null}), "Fargate requires that 'cpu' be defined at the task level."),
            (
                patched(json!({"memory": null}), app(json!({"memory": 64}))),
                "Fargate requires that 'memory' be defined at the task level.",
            ),
            (
                json!({"memory": "4096"}),
                "No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon ECS \
                 documentation for the valid values.",
            ),
            (
                json!({"cpu": "512", "memory": "2 GB", "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}),
                "No Fargate configuration exists for given values: 512 CPU, 2048 memory. See the Amazon ECS \
                 documentation for the valid values.",
            ),
            (
                json!({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2016_FULL"}}),
                "Tasks using the Fargate launch type are not supported on operating system family \
                 WINDOWS_SERVER_2016_FULL",
            ),
            (json!({"ipcMode": "task"}), "Fargate compatible task definitions do not support ipcMode"),
            (
                json!({"pidMode": "host"}),
                "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is \
                 'task'.",
            ),
            (
                json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:x == y"}]}),
                "Fargate compatible task definitions do not support constraints",
            ),
            (json!({"ephemeralStorage": {"sizeInGiB": 20}}), "EphemeralStorage size should be at least 21"),
            (json!({"ephemeralStorage": {"sizeInGiB": 201}}), "EphemeralStorage size should be at most 200"),
            (
                volume(json!({"host": {"sourcePath": "/x"}})),
                "Fargate compatible task definitions do not support sourcePath",
            ),
            (
                volume(json!({"dockerVolumeConfiguration": {}})),
                "Fargate compatible task definitions do not support dockerVolumeConfiguration",
            ),
            (
                app(json!({"privileged": true})),
                "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.",
            ),
            (
                app(json!({"dockerSecurityOptions": ["no-new-privileges"]})),
                "Fargate compatible task definitions do not support dockerSecurityOptions",
            ),
            (
                app(json!({"resourceRequirements": [{"type": "GPU", "value": "1"}]})),
                "Tasks using the Fargate launch type do not support GPU resource requirements.",
            ),
            (
                app(json!({"stopTimeout": 121})),
                "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
            ),
            (
                linux(json!({"capabilities": {"add": ["SYS_PTRACE", "NET_ADMIN"]}})),
                "NET_ADMIN is not allowed on Fargate.",
            ),
            (
                linux(json!({"devices": [{"hostPath": "/dev/fuse"}]})),
                "Fargate compatible task definitions do not support devices",
            ),
            (
                linux(json!({"sharedMemorySize": 64})),
                "Fargate compatible task definitions do not support sharedMemorySize",
            ),
            (linux(json!({"maxSwap": 64})), "Fargate compatible task definitions do not support maxSwap"),
            (
                logs("json-file", json!({})),
                "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
            ),
            (
                logs("awslogs", group.clone()),
                "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver \
                 awslogs.",
            ),
            (
                logs("awslogs", patched(group.clone(), json!({"awslogs-stream-prefix": "p"}))),
                "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
            ),
            (
                app(json!({"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"})),
                "Fargate requires task definition to have execution role ARN to support ECR images.",
            ),
        ],
    );
}

#[test]
fn the_rules_come_in_the_order_in_which_ecs_checks_them() {
    assert_refused(
        on_fargate,
        vec![
            (
                patched(json!({"networkMode": "bridge", "cpu": "bad"}), app(json!({"essential": false}))),
                "Invalid 'cpu' setting for task.",
            ),
            (
                patched(json!({"networkMode": "bridge"}), app(json!({"essential": false}))),
                "Task definition doesn't have any essential container.",
            ),
            (
                json!({"memory": null}),
                "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be \
                 specified.",
            ),
        ],
    );
}
