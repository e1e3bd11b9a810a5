"""Every operation of ECS that is served."""

import sys

from steps import client, coded, finish, refused, same

account = sys.argv[1]
region = "us-east-1"
ecs = client("ecs")
arn = f"arn:aws:ecs:{region}:{account}"
role = f"arn:aws:iam::{account}:role/ecsTaskExecutionRole"


def clusters():
    default = ecs.create_cluster()["cluster"]
    same((default["clusterName"], default["status"]), ("default", "ACTIVE"))
    same(default["clusterArn"], f"{arn}:cluster/default")
    shop = ecs.create_cluster(
        clusterName="shop",
        tags=[{"key": "team", "value": "storefront"}],
        settings=[{"name": "containerInsights", "value": "enabled"}],
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
    )["cluster"]
    same(shop["tags"], [{"key": "team", "value": "storefront"}])
    same(ecs.create_cluster(clusterName="shop")["cluster"]["clusterArn"], shop["clusterArn"])
    for field in ["registeredContainerInstancesCount", "runningTasksCount", "pendingTasksCount", "activeServicesCount"]:
        same(shop[field], 0)

    described = ecs.describe_clusters(clusters=["shop", f"{arn}:cluster/default", "nowhere"], include=["TAGS", "SETTINGS"])
    same(sorted(cluster["clusterName"] for cluster in described["clusters"]), ["default", "shop"])
    same(described["failures"], [{"arn": f"{arn}:cluster/nowhere", "reason": "MISSING"}])
    found = next(cluster for cluster in described["clusters"] if cluster["clusterName"] == "shop")
    same(found["settings"], [{"name": "containerInsights", "value": "enabled"}])
    same(found["tags"], [{"key": "team", "value": "storefront"}])
    without = ecs.describe_clusters(clusters=["shop"])["clusters"][0]
    assert not without.get("tags") and not without.get("settings"), without
    same(ecs.describe_clusters()["clusters"][0]["clusterName"], "default")

    pages = list(ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1}))
    same(sorted(one for page in pages for one in page["clusterArns"]), [f"{arn}:cluster/default", f"{arn}:cluster/shop"])
    assert len(pages) >= 2, pages

    updated = ecs.update_cluster(
        cluster="shop",
        configuration={"executeCommandConfiguration": {"logging": "DEFAULT"}},
    )["cluster"]
    same(updated["configuration"]["executeCommandConfiguration"]["logging"], "DEFAULT")
    settings = [{"name": "containerInsights", "value": "disabled"}]
    same(ecs.update_cluster_settings(cluster="shop", settings=settings)["cluster"]["settings"], settings)
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 2, "base": 1}]
    put = ecs.put_cluster_capacity_providers(
        cluster="shop", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=strategy
    )["cluster"]
    same((put["capacityProviders"], put["defaultCapacityProviderStrategy"]), (["FARGATE_SPOT"], strategy))

    with refused(ecs.exceptions.NamespaceNotFoundException, "shop.local"):
        ecs.update_cluster(cluster="shop", serviceConnectDefaults={"namespace": "shop.local"})
    with refused(ecs.exceptions.ClusterNotFoundException, "Cluster not found."):
        ecs.delete_cluster(cluster="nowhere")
    with refused(ecs.exceptions.ClusterNotFoundException, "Cluster not found."):
        ecs.update_cluster_settings(cluster="nowhere", settings=settings)
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.create_cluster(clusterName="not a name")
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.create_cluster(clusterName="a" * 256)
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.list_clusters(nextToken="made up")


def tags():
    shop = f"{arn}:cluster/shop"
    ecs.tag_resource(resourceArn=shop, tags=[{"key": "stage", "value": "test"}, {"key": "team", "value": "other"}])
    listed = ecs.list_tags_for_resource(resourceArn=shop)["tags"]
    same({tag["key"]: tag["value"] for tag in listed}, {"team": "other", "stage": "test"})
    ecs.untag_resource(resourceArn=shop, tagKeys=["stage", "never-there"])
    same(ecs.list_tags_for_resource(resourceArn=shop)["tags"], [{"key": "team", "value": "other"}])
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.tag_resource(resourceArn=shop, tags=[{"key": f"k{number}", "value": ""} for number in range(51)])
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.tag_resource(resourceArn=shop, tags=[{"key": "aws:reserved", "value": ""}])
    with refused(ecs.exceptions.ClusterNotFoundException):
        ecs.list_tags_for_resource(resourceArn=f"{arn}:cluster/nowhere")
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.list_tags_for_resource(resourceArn="no arn")


def account_settings():
    root = f"arn:aws:iam::{account}:root"
    put = ecs.put_account_setting_default(name="containerInsights", value="enabled")["setting"]
    same((put["name"], put["value"]), ("containerInsights", "enabled"))
    own = ecs.put_account_setting(name="awsvpcTrunking", value="enabled")["setting"]
    same((own["value"], own["principalArn"]), ("enabled", root))
    effective = {
        setting["name"]: setting["value"]
        for page in ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True)
        for setting in page["settings"]
    }
    same((effective["containerInsights"], effective["awsvpcTrunking"]), ("enabled", "enabled"))
    same(effective["taskLongArnFormat"], "enabled")
    gone = ecs.delete_account_setting(name="awsvpcTrunking")["setting"]
    same(gone["name"], "awsvpcTrunking")
    named = ecs.list_account_settings(name="awsvpcTrunking", effectiveSettings=True)["settings"]
    same([setting["value"] for setting in named], ["disabled"])
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.put_account_setting(name="awsvpcTrunking", value="perhaps")
    with refused(ecs.exceptions.InvalidParameterException):
        ecs.put_account_setting(name="noSuchSetting", value="enabled")


def web(**more):
    return {
        "family": "web",
        "containerDefinitions": [{
            "name": "nginx",
            "image": "nginx:1.27-alpine",
            "memory": 128,
            "essential": True,
            "portMappings": [{"containerPort": 80}],
            "environment": [{"name": "STAGE", "value": "test"}],
            "command": ["nginx", "-g", "daemon off;"],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "web", "awslogs-region": region, "awslogs-stream-prefix": "web"},
            },
        }],
        **more,
    }


def task_definitions():
    first = ecs.register_task_definition(**web(tags=[{"key": "team", "value": "storefront"}]))
    made = first["taskDefinition"]
    same((made["family"], made["revision"], made["status"]), ("web", 1, "ACTIVE"))
    same(made["taskDefinitionArn"], f"{arn}:task-definition/web:1")
    same(made["registeredBy"], f"arn:aws:iam::{account}:root")
    assert made["registeredAt"].year >= 2025, made["registeredAt"]
    same(first["tags"], [{"key": "team", "value": "storefront"}])
    container = made["containerDefinitions"][0]
    same(container["portMappings"], [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}])
    same((container["cpu"], container["essential"], container["volumesFrom"]), (0, True, []))
    assert "EC2" in made["compatibilities"], made["compatibilities"]
    for revision in [2, 3]:
        same(ecs.register_task_definition(**web())["taskDefinition"]["revision"], revision)
    fargate = ecs.register_task_definition(
        **web(family="web-fargate", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu=".25 vCPU", memory="0.5 GB",
              executionRoleArn=role)
    )["taskDefinition"]
    same((fargate["cpu"], fargate["memory"]), ("256", "512"))

    for name in ["web", "web:3", f"{arn}:task-definition/web:3"]:
        same(ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]["revision"], 3)
    described = ecs.describe_task_definition(taskDefinition="web:1", include=["TAGS"])
    same(described["tags"], [{"key": "team", "value": "storefront"}])
    same(described["taskDefinition"], made)

    pages = list(ecs.get_paginator("list_task_definitions").paginate(familyPrefix="web", PaginationConfig={"PageSize": 2}))
    same([one for page in pages for one in page["taskDefinitionArns"]],
         [f"{arn}:task-definition/web:{revision}" for revision in [1, 2, 3]])
    newest = ecs.list_task_definitions(familyPrefix="web", sort="DESC", maxResults=1)["taskDefinitionArns"]
    same(newest, [f"{arn}:task-definition/web:3"])
    families = ecs.get_paginator("list_task_definition_families").paginate(familyPrefix="web", PaginationConfig={"PageSize": 1})
    same([family for page in families for family in page["families"]], ["web", "web-fargate"])

    inactive = ecs.deregister_task_definition(taskDefinition="web:2")["taskDefinition"]
    same(inactive["status"], "INACTIVE")
    inactive = ecs.describe_task_definition(taskDefinition="web:2")["taskDefinition"]
    same(inactive["status"], "INACTIVE")
    assert inactive["deregisteredAt"] >= inactive["registeredAt"], inactive
    same(ecs.list_task_definitions(familyPrefix="web", status="INACTIVE")["taskDefinitionArns"],
         [f"{arn}:task-definition/web:2"])
    deleted = ecs.delete_task_definitions(taskDefinitions=["web:2", "web:3", "web:99"])
    same([one["status"] for one in deleted["taskDefinitions"]], ["DELETE_IN_PROGRESS"])
    same(len(deleted["failures"]), 2)
    same(ecs.register_task_definition(**web())["taskDefinition"]["revision"], 4)

    with refused(ecs.exceptions.ClientException, "Unable to describe task definition."):
        ecs.describe_task_definition(taskDefinition="nothing")
    with refused(ecs.exceptions.ClientException):
        ecs.describe_task_definition(taskDefinition="web:77")
    with refused(ecs.exceptions.ClientException, "Container.name should not be null or empty."):
        ecs.register_task_definition(family="bad", containerDefinitions=[{"image": "x", "memory": 1}])
    with refused(ecs.exceptions.ClientException, "Container.image should not be null or empty."):
        ecs.register_task_definition(family="bad", containerDefinitions=[{"name": "x", "memory": 6}])
    with refused(ecs.exceptions.ClientException, "No Fargate configuration exists for given values"):
        ecs.register_task_definition(
            **web(family="bad", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="4096",
                  executionRoleArn=role)
        )
    with refused(ecs.exceptions.InvalidParameterException, "Revision is missing"):
        ecs.deregister_task_definition(taskDefinition="web")
    with coded("SerializationException"):
        ecs.register_task_definition(family=["web"], containerDefinitions=[])
    same(ecs.list_task_definition_families(familyPrefix="bad")["families"], [])


def endings():
    gone = ecs.delete_cluster(cluster="shop")["cluster"]
    same(gone["status"], "INACTIVE")
    same(ecs.list_clusters()["clusterArns"], [f"{arn}:cluster/default"])
    same(ecs.describe_clusters(clusters=["shop"])["clusters"][0]["status"], "INACTIVE")
    same(ecs.create_cluster(clusterName="shop")["cluster"]["status"], "ACTIVE")


clusters()
tags()
account_settings()
task_definitions()
endings()
finish()
