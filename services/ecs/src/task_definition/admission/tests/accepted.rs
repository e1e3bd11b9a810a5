use super::*;

fn answer(request: Value) -> Value {
    written(&admitted(request).unwrap())
}

#[test]
fn ecs_fills_in_what_was_left_open() {
    assert_eq!(
        answer(on_instances()),
        json!({
            "compatibilities": ["EXTERNAL", "EC2"],
            "containerDefinitions": [{
                "cpu": 0, "environment": [], "essential": true, "image": "busybox", "memory": 64, "mountPoints": [],
                "name": "app", "portMappings": [], "systemControls": [], "volumesFrom": []
            }],
            "placementConstraints": [],
            "volumes": []
        })
    );
}

#[test]
fn a_fargate_definition_gets_its_attributes_and_compatibilities() {
    let answer = answer(on_fargate());
    assert_eq!(answer["compatibilities"], json!(["EC2", "MANAGED_INSTANCES", "FARGATE"]));
    assert_eq!(
        answer["requiresAttributes"],
        json!([{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}, {"name": "ecs.capability.task-eni"}])
    );
}

#[test]
fn sizes_are_normalised_to_units() {
    let answer = answer(patched(on_fargate(), json!({"cpu": "0.25 vCPU", "memory": "0.5 GB"})));
    assert_eq!((&answer["cpu"], &answer["memory"]), (&json!("256"), &json!("512")));
}

#[test]
fn ports_get_their_host_side_by_the_network_mode() {
    let mapping = |mode: &str, mapping: Value| {
        let request = patched(json!({"networkMode": mode}), app(json!({"portMappings": [mapping]})));
        answer(patched(on_instances(), request))["containerDefinitions"][0]["portMappings"][0].clone()
    };
    let open = json!({"containerPort": 8080});
    let filled = |host| json!({"containerPort": 8080, "hostPort": host, "protocol": "tcp"});
    assert_eq!(mapping("bridge", open.clone()), filled(0));
    assert_eq!(mapping("awsvpc", open.clone()), filled(8080));
    assert_eq!(mapping("host", open), filled(8080));
    let range = json!({"containerPortRange": "80-90", "protocol": "udp"});
    assert_eq!(mapping("awsvpc", range.clone()), range);
}

#[test]
fn health_checks_volumes_roles_and_proxies_get_their_defaults() {
    let request = json!({
        "networkMode": "awsvpc",
        "taskRoleArn": "web",
        "volumes": [
            {"name": "scratch"}, {"name": "nfs", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}},
            {"name": "docker", "dockerVolumeConfiguration": {}}
        ],
        "containerDefinitions": [{"healthCheck": {"command": ["CMD-SHELL", "true"]}}],
        "proxyConfiguration": {"containerName": "app", "properties": [
            {"name": "ProxyIngressPort", "value": "1"}, {"name": "ProxyEgressPort", "value": "2"},
            {"name": "AppPorts", "value": "3"}, {"name": "IgnoredGID", "value": "4"}
        ]}
    });
    let answer = answer(patched(on_instances(), request));
    assert_eq!(answer["taskRoleArn"], "arn:aws:iam::123456789012:role/web");
    assert_eq!(answer["volumes"][0], json!({"name": "scratch", "host": {}}));
    assert_eq!(answer["volumes"][1]["efsVolumeConfiguration"]["rootDirectory"], "/");
    assert_eq!(answer["volumes"][2]["dockerVolumeConfiguration"], json!({"scope": "task", "driver": "local"}));
    assert_eq!(answer["proxyConfiguration"]["type"], "APPMESH");
    assert_eq!(
        answer["containerDefinitions"][0]["healthCheck"],
        json!({"command": ["CMD-SHELL", "true"], "interval": 30, "timeout": 5, "retries": 3})
    );
}

/// A definition that uses every member that can stand together.
fn everything() -> Value {
    serde_json::from_str(include_str!("everything.json")).unwrap()
}

#[test]
fn nothing_that_is_asked_for_is_dropped() {
    let (request, mut answer) = (everything(), answer(everything()));
    let members = answer.as_object_mut().unwrap();
    assert!(members.remove("compatibilities").is_some() && members.remove("requiresAttributes").is_some());
    let mut asked = request;
    asked.as_object_mut().unwrap().remove("family");
    assert_eq!(answer, asked);
}

#[test]
fn a_definition_that_was_registered_can_be_registered_again() {
    for request in [on_instances(), on_fargate(), everything()] {
        let first = answer(request);
        let mut again = first.clone();
        again["family"] = json!("again");
        assert_eq!(answer(again), first);
    }
}

#[test]
fn a_definition_runs_where_its_settings_do() {
    let compatibilities = |patch: Value| answer(patched(on_instances(), patch))["compatibilities"].clone();
    assert_eq!(compatibilities(json!({})), json!(["EXTERNAL", "EC2"]));
    assert_eq!(compatibilities(json!({"networkMode": "host"})), json!(["EXTERNAL", "EC2", "MANAGED_INSTANCES"]));
    let awsvpc = json!({"networkMode": "awsvpc", "cpu": "512", "memory": "717"});
    assert_eq!(compatibilities(awsvpc), json!(["EC2", "MANAGED_INSTANCES"]));
    let fargate = json!({"networkMode": "awsvpc", "cpu": "512", "memory": "1024"});
    assert_eq!(compatibilities(fargate.clone()), json!(["EC2", "MANAGED_INSTANCES", "FARGATE"]));
    let slow = patched(fargate.clone(), app(json!({"stopTimeout": 121})));
    assert_eq!(compatibilities(slow), json!(["EC2", "MANAGED_INSTANCES"]));
    let windows = json!({"cpu": "1024", "memory": "2048",
                         "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}});
    assert_eq!(compatibilities(patched(fargate, windows)), json!(["EC2", "FARGATE"]));
    let efs = json!({"volumes": [{"name": "n", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]});
    assert_eq!(compatibilities(efs), json!(["EC2"]));
}

#[test]
fn the_samples_are_definitions_that_ecs_registers() {
    for sample in [
        include_str!("../../../../../../samples/task-definitions/web.json"),
        include_str!("../../../../../../samples/task-definitions/worker-with-sidecar.json"),
        include_str!("../../../../../../samples/task-definitions/fargate.json"),
    ] {
        admit("000000000000".parse().unwrap(), read(&serde_json::from_str(sample).unwrap())).unwrap();
    }
}

proptest::proptest! {
    #[test]
    fn no_image_and_no_name_makes_it_panic(name in ".{0,12}", image in ".{0,24}", link in ".{0,8}", range in ".{0,8}") {
        let patch = json!({"name": name, "image": image, "links": [link], "portMappings": [{"containerPortRange": range}]});
        let _ = admitted(patched(on_instances(), app(patch)));
    }
}
