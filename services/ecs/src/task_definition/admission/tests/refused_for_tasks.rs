use super::*;

#[test]
fn a_task_that_breaks_a_rule_is_refused() {
    assert_refused(
        on_instances,
        vec![
            (json!({"family": ""}), "Family should not be null or empty."),
            (json!({"family": "a b"}), "Family contains invalid characters."),
            (json!({"family": "x".repeat(256)}), "Family contains invalid characters."),
            (json!({"cpu": ""}), "Invalid 'cpu' setting for task."),
            (json!({"cpu": "127"}), "Invalid 'cpu' setting for task."),
            (json!({"cpu": "193 vCPU"}), "Invalid 'cpu' setting for task."),
            (json!({"memory": "1 TB"}), "Invalid 'memory' setting for task."),
            (json!({"taskRoleArn": "arn:aws:iam::999999999999:role/web"}), "Role is not valid"),
            (json!({"executionRoleArn": "arn:aws:iam::123456789012:user/web"}), "Role is not valid"),
            (json!({"executionRoleArn": "a b"}), "Role is not valid"),
            (
                json!({"inferenceAccelerators": [{"deviceName": "d", "deviceType": "eia2.medium"}]}),
                "Unsupported field 'inferenceAccelerators'.",
            ),
            (
                json!({"requiresCompatibilities": ["EXTERNAL"], "networkMode": "awsvpc"}),
                "Tasks using the External launch type do not support network mode 'awsvpc'.",
            ),
            (
                json!({"requiresCompatibilities": ["EC2"], "ephemeralStorage": {"sizeInGiB": 30}}),
                "Tasks using the EC2 launch type do not support EphemeralStorage.",
            ),
            (
                json!({"placementConstraints": [{"type": "memberOf", "expression": " "}]}),
                "The expression of a placement constraint of type 'memberOf' cannot be empty.",
            ),
            (
                json!({"placementConstraints": vec![json!({"type": "memberOf", "expression": "runningTasksCount == 0"}); 11]}),
                "Too many placement constraints. Specify 10 or less and try again.",
            ),
            (
                app(json!({"command": ["x".repeat(70_000)]})),
                "Actual length: '70276'. Max allowed length is '65536' bytes.",
            ),
        ],
    );
}

#[test]
fn a_proxy_needs_a_network_of_its_own_a_container_and_its_ports() {
    let property = |name: &str| json!({"name": name, "value": "1"});
    let proxy = |mode: &str, container: &str, properties: &[&str]| {
        let properties: Vec<Value> = properties.iter().map(|name| property(name)).collect();
        json!({"networkMode": mode, "proxyConfiguration": {"containerName": container, "properties": properties}})
    };
    let all = ["ProxyIngressPort", "ProxyEgressPort", "AppPorts", "IgnoredUID"];
    admitted(patched(on_instances(), proxy("awsvpc", "app", &all))).unwrap();
    assert_refused(
        on_instances,
        vec![
            (proxy("bridge", "app", &all), "APPMESH proxy configuration is only supported in networkMode=awsvpc"),
            (proxy("awsvpc", "envoy", &all), "Proxy container [envoy] does not exist."),
            (proxy("awsvpc", "app", &[]), "Ingress port not found"),
            (proxy("awsvpc", "app", &all[..1]), "Egress port not found"),
            (proxy("awsvpc", "app", &all[..2]), "App ports not found"),
            (proxy("awsvpc", "app", &all[..3]), "IgnoredUID or IgnoredGID not found"),
        ],
    );
}

#[test]
fn a_volume_that_breaks_a_rule_is_refused() {
    let volume = |patch: Value| json!({"volumes": [patched(json!({"name": "data"}), patch)]});
    let efs = |patch: Value| volume(json!({"efsVolumeConfiguration": patched(json!({"fileSystemId": "fs-1"}), patch)}));
    assert_refused(
        on_instances,
        vec![
            (volume(json!({"name": null})), "volume.name should not be null or empty."),
            (volume(json!({"name": "a.b"})), "volume.name contains invalid characters."),
            (
                json!({"volumes": [{"name": "data"}, {"name": "data"}]}),
                "Volume names must be unique within a task definition.",
            ),
            (volume(json!({"host": {"sourcePath": ""}})), "host.sourcePath should not be blank."),
            (
                volume(json!({"host": {"sourcePath": "/x"}, "dockerVolumeConfiguration": {"scope": "task"}})),
                "Volume 'data' can have only one volume configuration.",
            ),
            (
                volume(json!({"dockerVolumeConfiguration": {"scope": "task", "autoprovision": true}})),
                "Volume 'data': autoprovision can only be specified when scope is 'shared'.",
            ),
            (
                efs(json!({"authorizationConfig": {"iam": "ENABLED"}})),
                "EFS IAM authorization requires TransitEncryption to be enabled.",
            ),
            (
                efs(json!({"transitEncryptionPort": 2999})),
                "TransitEncryptionPort requires that TransitEncryption is enabled.",
            ),
            (
                efs(json!({"authorizationConfig": {"accessPointId": "fsap-1"}, "rootDirectory": "/srv"})),
                "When using an EFS access point, the root directory must either be set to \"/\" or be omitted.",
            ),
            (volume(json!({"s3filesVolumeConfiguration": {"fileSystemArn": "fs-1"}})), "Invalid arn syntax."),
            (volume(json!({"configuredAtLaunch": true})), "Volumes [data] are not referenced by any of the containers"),
            (
                json!({"volumes": [{"name": "a", "configuredAtLaunch": true}, {"name": "b", "configuredAtLaunch": true}]}),
                "Only one volume can be configured at launch.",
            ),
            (app(json!({"mountPoints": [{"sourceVolume": "data", "containerPath": "/x"}]})), "Unknown volume 'data'."),
            (app(json!({"mountPoints": [{"containerPath": "/x"}]})), "Unknown volume 'null'."),
            (
                patched(volume(json!({})), app(json!({"mountPoints": [{"sourceVolume": "data"}]}))),
                "Invalid 'mountPoints.containerPath' setting for container 'app'.",
            ),
            (
                app(json!({"volumesFrom": [{"sourceContainer": "nope"}]})),
                "Invalid 'volumesFrom' setting. Unknown container: 'nope'.",
            ),
            (
                app(json!({"volumesFrom": [{"sourceContainer": "app"}]})),
                "Invalid 'volumesFrom' setting. Unknown container: 'app'.",
            ),
        ],
    );
}
