"""The wire API as boto3 speaks it: every operation, every error code with its status.

Run with the server's address: `suite.py http://127.0.0.1:8400`. The server must hold no groups, and where AWS_ACCESS_KEY_ID
and its kin name keys of the server, LARDER_READER, LARDER_BOUND and LARDER_SECRET name two more: one that may only read, one
bound to `bound-*`.
"""

import http.client
import json
import os
import sys
import time
import unittest
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv.pop(1)
REGION = "eu-west-1"
ROLE = "arn:aws:iam::000000000000:role/Sagemaker"
KEYS = os.environ.get("LARDER_SECRET")


def client(service, key=None, secret=None, **config):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id=key or os.environ.get("AWS_ACCESS_KEY_ID", "any"),
        aws_secret_access_key=secret or os.environ.get("AWS_SECRET_ACCESS_KEY", "any"),
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


control = client("sagemaker")
runtime = client("sagemaker-featurestore-runtime")
# boto3 checks some constraints itself; these let everything through.
bare_control = client("sagemaker", parameter_validation=False)
bare_runtime = client("sagemaker-featurestore-runtime", parameter_validation=False)

DEFINITIONS = [
    {"FeatureName": "id", "FeatureType": "String"},
    {"FeatureName": "at", "FeatureType": "Fractional"},
    {"FeatureName": "total", "FeatureType": "Fractional"},
    {"FeatureName": "visits", "FeatureType": "Integral"},
]
counter = iter(range(1_000_000))


def make(prefix="orders", online=True, offline=True, definitions=DEFINITIONS, at="at", **more):
    name = f"{prefix}-{next(counter)}"
    if online:
        more.setdefault("OnlineStoreConfig", {"EnableOnlineStore": True})
    if offline:
        more.setdefault("OfflineStoreConfig", {"S3StorageConfig": {"S3Uri": "s3://feature-store/offline"}})
        more.setdefault("RoleArn", ROLE)
    answer = control.create_feature_group(
        FeatureGroupName=name, RecordIdentifierFeatureName="id", EventTimeFeatureName=at, FeatureDefinitions=definitions, **more
    )
    return name, answer["FeatureGroupArn"]


def record(**values):
    return [
        {"FeatureName": name, "ValueAsStringList" if isinstance(value, list) else "ValueAsString": value}
        for name, value in values.items()
        if value is not None
    ]


def read(answer):
    return {value["FeatureName"]: value.get("ValueAsString", value.get("ValueAsStringList")) for value in answer.get("Record", [])}


class Case(unittest.TestCase):
    maxDiff = None

    def refused(self, code, status, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status), answer["Error"])
        self.assertTrue(answer["ResponseMetadata"]["RequestId"])
        return answer["Error"]["Message"]


class Groups(Case):
    def test_create_and_describe_tell_what_was_said(self):
        definitions = DEFINITIONS + [
            {"FeatureName": "names", "FeatureType": "String", "CollectionType": "Set"},
            {"FeatureName": "v", "FeatureType": "Fractional", "CollectionType": "Vector", "CollectionConfig": {"VectorConfig": {"Dimension": 3}}},
        ]
        before = datetime.now(timezone.utc) - timedelta(seconds=2)
        name, arn = make(
            definitions=definitions,
            Description="what it is",
            OnlineStoreConfig={
                "EnableOnlineStore": True,
                "StorageType": "Standard_V2",
                "TtlDuration": {"Unit": "Hours", "Value": 3},
                "SecurityConfig": {"KmsKeyId": "key-1"},
            },
            OfflineStoreConfig={
                "S3StorageConfig": {"S3Uri": "s3://feature-store/offline/", "KmsKeyId": "key-2"},
                "DisableGlueTableCreation": True,
                "DataCatalogConfig": {"TableName": "my_table", "Catalog": "AwsDataCatalog", "Database": "my_db"},
                "TableFormat": "Glue",
            },
            ThroughputConfig={"ThroughputMode": "Provisioned", "ProvisionedReadCapacityUnits": 5, "ProvisionedWriteCapacityUnits": 6},
            Tags=[{"Key": "team", "Value": "growth"}],
        )
        self.assertEqual(arn, f"arn:aws:sagemaker:{REGION}:000000000000:feature-group/{name}")
        for asked in (name, arn, name.upper()):
            told = control.describe_feature_group(FeatureGroupName=asked)
            self.assertEqual(told["FeatureDefinitions"], definitions)
        self.assertEqual((told["FeatureGroupArn"], told["FeatureGroupName"], told["FeatureGroupStatus"]), (arn, name, "Created"))
        self.assertEqual((told["RecordIdentifierFeatureName"], told["EventTimeFeatureName"]), ("id", "at"))
        self.assertEqual((told["Description"], told["RoleArn"]), ("what it is", ROLE))
        self.assertTrue(before <= told["CreationTime"] <= datetime.now(timezone.utc) + timedelta(seconds=2))
        self.assertEqual(
            told["OnlineStoreConfig"],
            {
                "SecurityConfig": {"KmsKeyId": "key-1"},
                "EnableOnlineStore": True,
                "TtlDuration": {"Unit": "Hours", "Value": 3},
                "StorageType": "Standard_V2",
            },
        )
        offline = told["OfflineStoreConfig"]
        resolved = offline["S3StorageConfig"].pop("ResolvedOutputS3Uri")
        self.assertRegex(resolved, rf"^s3://feature-store/offline/000000000000/sagemaker/[a-z0-9-]+/offline-store/{name}-[0-9]+/data$")
        self.assertEqual(
            offline,
            {
                "S3StorageConfig": {"S3Uri": "s3://feature-store/offline/", "KmsKeyId": "key-2"},
                "DisableGlueTableCreation": True,
                "DataCatalogConfig": {"TableName": "my_table", "Catalog": "AwsDataCatalog", "Database": "my_db"},
                "TableFormat": "Glue",
            },
        )
        self.assertEqual(told["OfflineStoreStatus"], {"Status": "Active"})
        self.assertEqual(
            told["ThroughputConfig"], {"ThroughputMode": "Provisioned", "ProvisionedReadCapacityUnits": 5, "ProvisionedWriteCapacityUnits": 6}
        )
        self.assertNotIn("LastUpdateStatus", told)

    def test_defaults(self):
        name, _ = make(prefix="De-fault_X")
        told = control.describe_feature_group(FeatureGroupName=name)
        self.assertEqual(told["ThroughputConfig"], {"ThroughputMode": "OnDemand"})
        self.assertEqual(told["OnlineStoreConfig"], {"EnableOnlineStore": True, "StorageType": "Standard"})
        catalog = told["OfflineStoreConfig"]["DataCatalogConfig"]
        epoch = int(told["CreationTime"].timestamp())
        self.assertEqual(
            catalog, {"TableName": f"{name.lower().replace('-', '_')}_{epoch}", "Catalog": "AwsDataCatalog", "Database": "sagemaker_featurestore"}
        )
        online, _ = make(offline=False)
        told = control.describe_feature_group(FeatureGroupName=online)
        self.assertFalse({"OfflineStoreConfig", "OfflineStoreStatus"} & set(told))
        offline, _ = make(online=False)
        self.assertNotIn("OnlineStoreConfig", control.describe_feature_group(FeatureGroupName=offline))

    def test_what_can_not_be_created(self):
        name, _ = make()
        valid = dict(
            FeatureGroupName="fresh",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="at",
            FeatureDefinitions=DEFINITIONS,
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        create = bare_control.create_feature_group
        message = self.refused("ResourceInUse", 400, create, **{**valid, "FeatureGroupName": name.upper()})
        self.assertIn("already exists. Choose a different name.", message)
        storage = {"S3StorageConfig": {"S3Uri": "s3://feature-store/x"}}
        for change, told in [
            ({"FeatureGroupName": "ends-"}, "at 'featureGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern"),
            ({"FeatureGroupName": "x" * 65}, "Member must have length less than or equal to 64"),
            ({"FeatureDefinitions": []}, "at 'featureDefinitions' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            ({"FeatureDefinitions": [{"FeatureName": "id", "FeatureType": "Text"}]}, "Member must satisfy enum value set: [Integral, Fractional, String]"),
            ({"FeatureDefinitions": DEFINITIONS + DEFINITIONS[2:3]}, "same feature name"),
            ({"FeatureDefinitions": DEFINITIONS + [{"FeatureName": "write_time", "FeatureType": "String"}]}, "write_time"),
            ({"RecordIdentifierFeatureName": "none"}, "RecordIdentifierFeatureName 'none' must be one of the FeatureDefinitions"),
            ({"EventTimeFeatureName": "visits"}, "event time"),
            ({"Description": "x" * 129}, "Member must have length less than or equal to 128"),
            ({"OnlineStoreConfig": {"EnableOnlineStore": False}}, "store"),
            ({"OnlineStoreConfig": {"TtlDuration": {"Unit": "Days", "Value": 1}}}, "TtlDuration needs an online store"),
            ({"OnlineStoreConfig": {"EnableOnlineStore": True, "StorageType": "Fast"}}, "[Standard, Standard_V2, InMemory]"),
            ({"OfflineStoreConfig": storage}, "Value null at 'roleArn'"),
            ({"OfflineStoreConfig": storage, "RoleArn": "arn:aws:iam::1:role/x-long-enough"}, "'roleArn' failed to satisfy"),
            ({"OfflineStoreConfig": {**storage, "TableFormat": "Iceberg"}, "RoleArn": ROLE}, "Iceberg is not supported"),
            ({"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "ftp://x"}}, "RoleArn": ROLE}, "s3Uri"),
            (
                {"OfflineStoreConfig": {**storage, "DataCatalogConfig": {"TableName": "T", "Catalog": "AwsDataCatalog", "Database": "d"}}, "RoleArn": ROLE},
                "dataCatalogConfig.tableName",
            ),
            ({"Tags": [{"Key": "k", "Value": "a"}] * 51}, "Member must have length less than or equal to 50"),
        ]:
            with self.subTest(told=told):
                self.assertIn(told, self.refused("ValidationException", 400, create, **{**valid, **change}))
        self.refused("SerializationException", 400, create, **{**valid, "FeatureGroupName": 7})
        self.refused("ResourceNotFound", 400, control.describe_feature_group, FeatureGroupName="fresh")

    def test_update(self):
        name, arn = make()
        addition = {"FeatureName": "extra", "FeatureType": "String"}
        self.assertEqual(control.update_feature_group(FeatureGroupName=arn, FeatureAdditions=[addition])["FeatureGroupArn"], arn)
        told = control.describe_feature_group(FeatureGroupName=name)
        self.assertEqual(told["FeatureDefinitions"], DEFINITIONS + [addition])
        self.assertEqual(told["LastUpdateStatus"], {"Status": "Successful"})
        control.update_feature_group(FeatureGroupName=name, OnlineStoreConfig={"TtlDuration": {"Unit": "Weeks", "Value": 2}})
        control.update_feature_group(FeatureGroupName=name, OnlineStoreConfig={"StorageType": "Standard_V2"})
        online = control.describe_feature_group(FeatureGroupName=name)["OnlineStoreConfig"]
        self.assertEqual((online["TtlDuration"], online["StorageType"]), ({"Unit": "Weeks", "Value": 2}, "Standard_V2"))
        control.update_feature_group(FeatureGroupName=name, OnlineStoreConfig={"TtlDuration": {}})
        self.assertNotIn("TtlDuration", control.describe_feature_group(FeatureGroupName=name)["OnlineStoreConfig"])
        throughput = {"ThroughputMode": "Provisioned", "ProvisionedReadCapacityUnits": 1, "ProvisionedWriteCapacityUnits": 2}
        control.update_feature_group(FeatureGroupName=name, ThroughputConfig=throughput)
        self.assertEqual(control.describe_feature_group(FeatureGroupName=name)["ThroughputConfig"], throughput)
        update = control.update_feature_group
        self.refused("ValidationException", 400, update, FeatureGroupName=name)
        self.refused("ValidationException", 400, update, FeatureGroupName=name, FeatureAdditions=[addition])
        self.refused("ValidationException", 400, update, FeatureGroupName=name, OnlineStoreConfig={"StorageType": "InMemory"})
        self.refused("ResourceNotFound", 400, update, FeatureGroupName="nowhere", FeatureAdditions=[addition])

    def test_delete_leaves_nothing_that_can_be_described(self):
        name, _ = make()
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="1"))
        control.delete_feature_group(FeatureGroupName=name)
        self.refused("ResourceNotFound", 400, control.describe_feature_group, FeatureGroupName=name)
        message = self.refused("ResourceNotFound", 400, control.delete_feature_group, FeatureGroupName=name)
        self.assertIn(f"can't find a FeatureGroup with name {name}", message)
        self.refused("ResourceNotFound", 404, runtime.get_record, FeatureGroupName=name, RecordIdentifierValueAsString="a")

    def test_list_filters_sorts_and_pages(self):
        names = [make(prefix="list-me", offline=index % 2 == 0)[0] for index in range(5)]
        listed = control.list_feature_groups(NameContains="LIST-ME", SortBy="Name", SortOrder="Ascending")["FeatureGroupSummaries"]
        self.assertEqual([summary["FeatureGroupName"] for summary in listed], sorted(names))
        self.assertEqual({summary["FeatureGroupStatus"] for summary in listed}, {"Created"})
        pager = control.get_paginator("list_feature_groups")
        for sort_by in ("Name", "FeatureGroupStatus", "OfflineStoreStatus", "CreationTime"):
            for order in ("Ascending", "Descending"):
                pages = pager.paginate(NameContains="list-me", SortBy=sort_by, SortOrder=order, PaginationConfig={"PageSize": 2})
                seen = [summary["FeatureGroupName"] for page in pages for summary in page["FeatureGroupSummaries"]]
                self.assertEqual(sorted(seen), sorted(names), (sort_by, order))
        first = control.list_feature_groups(NameContains="list-me", SortBy="Name", SortOrder="Ascending", MaxResults=2)
        control.create_feature_group(
            FeatureGroupName="list-me-000", RecordIdentifierFeatureName="id", EventTimeFeatureName="at", FeatureDefinitions=DEFINITIONS,
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        rest = control.list_feature_groups(NameContains="list-me", SortBy="Name", SortOrder="Ascending", NextToken=first["NextToken"])
        seen = [s["FeatureGroupName"] for s in first["FeatureGroupSummaries"] + rest["FeatureGroupSummaries"]]
        self.assertEqual(seen, sorted(names), "a group made between two pages moves nothing")
        offline = control.list_feature_groups(NameContains="list-me", OfflineStoreStatusEquals="Active")["FeatureGroupSummaries"]
        self.assertEqual(len(offline), 3)
        self.assertEqual(control.list_feature_groups(NameContains="list-me", FeatureGroupStatusEquals="Deleting")["FeatureGroupSummaries"], [])
        future = datetime.now(timezone.utc) + timedelta(days=1)
        self.assertEqual(control.list_feature_groups(CreationTimeAfter=future)["FeatureGroupSummaries"], [])
        self.assertEqual(len(control.list_feature_groups(NameContains="list-me", CreationTimeBefore=future)["FeatureGroupSummaries"]), 6)
        self.refused("ValidationException", 400, control.list_feature_groups, NextToken="nonsense")
        self.refused("ValidationException", 400, bare_control.list_feature_groups, MaxResults=101)

    def test_metadata(self):
        name, arn = make()
        control.update_feature_metadata(
            FeatureGroupName=name, FeatureName="total", Description="money", ParameterAdditions=[{"Key": "unit", "Value": "EUR"}, {"Key": "b", "Value": "c"}]
        )
        control.update_feature_metadata(FeatureGroupName=name, FeatureName="total", ParameterAdditions=[], ParameterRemovals=["b"])
        told = control.describe_feature_metadata(FeatureGroupName=arn, FeatureName="total")
        self.assertEqual(
            (told["FeatureGroupArn"], told["FeatureGroupName"], told["FeatureName"], told["FeatureType"], told["Description"], told["Parameters"]),
            (arn, name, "total", "Fractional", "money", [{"Key": "unit", "Value": "EUR"}]),
        )
        control.update_feature_metadata(FeatureGroupName=name, FeatureName="total", Description="")
        self.assertNotIn("Description", control.describe_feature_metadata(FeatureGroupName=name, FeatureName="total"))
        self.refused("ResourceNotFound", 400, control.describe_feature_metadata, FeatureGroupName=name, FeatureName="none")
        self.refused("ResourceNotFound", 400, control.update_feature_metadata, FeatureGroupName=name, FeatureName="none")
        many = [{"Key": f"k{index}", "Value": "v"} for index in range(25)]
        self.refused("ValidationException", 400, control.update_feature_metadata, FeatureGroupName=name, FeatureName="total", ParameterAdditions=many)

    def test_tags(self):
        _, arn = make(Tags=[{"Key": "a", "Value": "1"}])
        added = control.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])["Tags"]
        both = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
        self.assertEqual(added, both)
        self.assertEqual(control.list_tags(ResourceArn=arn, MaxResults=50)["Tags"], both)
        self.assertEqual(control.delete_tags(ResourceArn=arn, TagKeys=["a", "missing"])["ResponseMetadata"]["HTTPStatusCode"], 200)
        self.assertEqual(control.list_tags(ResourceArn=arn)["Tags"], both[1:])
        _, bare = make()
        self.assertEqual(control.list_tags(ResourceArn=bare)["Tags"], [])
        self.refused("ResourceNotFound", 400, control.list_tags, ResourceArn=arn + "x")
        self.refused("ResourceNotFound", 400, control.list_tags, ResourceArn=arn.replace("feature-group", "endpoint"))
        many = [{"Key": f"k{index}", "Value": ""} for index in range(50)]
        self.refused("ValidationException", 400, control.add_tags, ResourceArn=arn, Tags=many)

    def test_search(self):
        both, _ = make(prefix="find", Tags=[{"Key": "team", "Value": "growth"}], Description="All the money")
        online, _ = make(prefix="find", offline=False)
        offline, _ = make(prefix="find", online=False)
        control.update_feature_metadata(FeatureGroupName=both, FeatureName="total", ParameterAdditions=[{"Key": "unit", "Value": "EUR"}])

        def found(*filters, operator="And", resource="FeatureGroup", **more):
            contains = {"Name": "FeatureGroupName", "Operator": "Contains", "Value": "find-"}
            inner = {"Filters": list(filters), "Operator": operator} if filters else {}
            expression = {"Filters": [contains], **({"SubExpressions": [inner]} if inner else {}), **more}
            results = control.search(Resource=resource, SearchExpression=expression, SortBy="FeatureGroupName", SortOrder="Ascending")
            self.assertEqual(results["TotalHits"], {"Value": len(results["Results"]), "Relation": "EqualTo"})
            return [result[resource] for result in results["Results"]]

        def names(*filters, **more):
            return {group["FeatureGroupName"] for group in found(*filters, **more)}

        is_online = {"Name": "OnlineStoreConfig.EnableOnlineStore", "Operator": "Equals", "Value": "true"}
        not_online = {**is_online, "Operator": "NotEquals"}
        has_uri = {"Name": "OfflineStoreConfig.S3StorageConfig.S3Uri", "Operator": "Exists"}
        no_uri = {**has_uri, "Operator": "NotExists"}
        self.assertEqual(names(), {both, online, offline})
        self.assertEqual(names(not_online, has_uri), {offline})
        self.assertEqual(names(is_online, no_uri), {online})
        self.assertEqual(names(is_online, has_uri), {both})
        self.assertEqual(names(not_online, no_uri, operator="Or"), {online, offline})
        self.assertEqual(names({"Name": "Tags.team", "Value": "growth"}), {both})
        self.assertEqual(names({"Name": "AllTags", "Operator": "Contains", "Value": "team"}), {both})
        self.assertEqual(names({"Name": "Description", "Operator": "Contains", "Value": "money"}), {both})
        self.assertEqual(names({"Name": "FeatureGroupName", "Operator": "In", "Value": f"{both},{online}"}), {both, online})
        self.assertEqual(names({"Name": "CreationTime", "Operator": "LessThan", "Value": "2020-01-01T00:00:00"}), set())
        nested = {"NestedPropertyName": "FeatureDefinitions", "Filters": [
            {"Name": "FeatureDefinitions.FeatureName", "Value": "visits"}, {"Name": "FeatureDefinitions.FeatureType", "Value": "Integral"}]}
        self.assertEqual(names(NestedFilters=[nested]), {both, online, offline})
        nested["Filters"][1]["Value"] = "String"
        self.assertEqual(names(NestedFilters=[nested]), set())
        features = found({"Name": "Parameters.unit", "Value": "EUR"}, resource="FeatureMetadata")
        self.assertEqual([(f["FeatureGroupName"], f["FeatureName"], f["Parameters"]) for f in features], [(both, "total", [{"Key": "unit", "Value": "EUR"}])])
        pages = control.get_paginator("search").paginate(Resource="FeatureMetadata", PaginationConfig={"PageSize": 7})
        seen = [(r["FeatureMetadata"]["FeatureGroupName"], r["FeatureMetadata"]["FeatureName"]) for page in pages for r in page["Results"]]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertTrue({(both, "total"), (online, "visits")} <= set(seen))
        self.assertEqual(
            self.refused("ValidationException", 400, control.search, Resource="FeatureGroup", SearchExpression={"Filters": [{"Name": "Nope", "Value": "x"}]}),
            "Unknown property name: Nope",
        )
        self.refused("ValidationException", 400, control.search, Resource="Model")
        suggested = control.get_search_suggestions(
            Resource="FeatureGroup", SuggestionQuery={"PropertyNameQuery": {"PropertyNameHint": "featuregroup"}}
        )["PropertyNameSuggestions"]
        self.assertEqual([s["PropertyName"] for s in suggested], ["FeatureGroupArn", "FeatureGroupName", "FeatureGroupStatus"])

    def test_unknown_operation(self):
        self.refused("UnknownOperationException", 400, control.list_models)


class Lineage(Case):
    def artifact(self, kind="DataSet", uri=None, **more):
        uri = uri or f"s3://raw-data/part-{next(counter)}.parquet"
        return control.create_artifact(Source={"SourceUri": uri}, ArtifactType=kind, **more)["ArtifactArn"]

    def around(self, arn, **more):
        return {vertex["Arn"] for vertex in control.query_lineage(StartArns=[arn], **more)["Vertices"]}

    def test_a_group_has_its_two_contexts(self):
        name, arn = make("lineage")
        created = int(control.describe_feature_group(FeatureGroupName=name)["CreationTime"].timestamp())
        for end, kind in [("", "FeatureGroupPipeline"), ("-version", "FeatureGroupPipelineVersion")]:
            told = control.describe_context(ContextName=f"{name}-{created}-feature-group-pipeline{end}")
            self.assertEqual((told["ContextType"], told["Source"]["SourceUri"]), (kind, arn))
            self.assertEqual(control.describe_context(ContextName=told["ContextArn"])["ContextName"], told["ContextName"])
        listed = control.list_contexts(SourceUri=arn, SortBy="Name", SortOrder="Ascending")["ContextSummaries"]
        self.assertEqual([context["ContextType"] for context in listed], ["FeatureGroupPipeline", "FeatureGroupPipelineVersion"])
        self.refused("ValidationException", 400, control.update_context, ContextName=told["ContextName"], Description="x")
        control.delete_feature_group(FeatureGroupName=name)
        self.refused("ResourceNotFound", 400, control.describe_context, ContextName=told["ContextName"])

    def test_entities_are_made_changed_and_removed(self):
        uri = f"s3://raw-data/once-{next(counter)}.csv"
        types = [{"SourceIdType": "S3ETag", "Value": "abc"}]
        arn = control.create_artifact(
            ArtifactName="raw", Source={"SourceUri": uri, "SourceTypes": types}, ArtifactType="DataSet",
            Properties={"rows": "7", "owner": "growth"}, MetadataProperties={"CommitId": "c0ffee"},
        )["ArtifactArn"]
        self.refused("ValidationException", 400, control.create_artifact, Source={"SourceUri": uri, "SourceTypes": types}, ArtifactType="X")
        control.update_artifact(ArtifactArn=arn, ArtifactName="raw2", Properties={"rows": "8"}, PropertiesToRemove=["owner"])
        told = control.describe_artifact(ArtifactArn=arn)
        self.assertEqual((told["ArtifactName"], told["Properties"], told["Source"]["SourceTypes"]), ("raw2", {"rows": "8"}, types))
        self.assertEqual(told["MetadataProperties"], {"CommitId": "c0ffee"})
        self.assertEqual([one["ArtifactArn"] for one in control.list_artifacts(SourceUri=uri)["ArtifactSummaries"]], [arn])
        control.delete_artifact(Source={"SourceUri": uri, "SourceTypes": types})
        self.refused("ResourceNotFound", 400, control.describe_artifact, ArtifactArn=arn)

        name = f"train-{next(counter)}"
        source = {"SourceUri": "https://ci.example/1", "SourceType": "CI"}
        control.create_action(ActionName=name, Source=source, ActionType="Training", Status="InProgress", Description="a run")
        self.refused("ValidationException", 400, control.create_action, ActionName=name, Source=source, ActionType="Training")
        control.update_action(ActionName=name, Status="Completed", Description="")
        told = control.describe_action(ActionName=name)
        self.assertEqual((told["Status"], told["Source"], "Description" in told), ("Completed", source, False))
        self.refused("ValidationException", 400, bare_control.update_action, ActionName=name, Status="Asleep")
        self.refused("ValidationException", 400, control.create_context, ContextName="n", ContextType="t", Source=source,
                     Properties={str(number): "x" for number in range(31)})
        control.delete_action(ActionName=name)
        self.refused("ResourceNotFound", 400, control.describe_action, ActionName=name)

    def test_lists_page_through_what_is_made_meanwhile(self):
        kind = f"Kind{next(counter)}"
        arns = [self.artifact(kind) for _ in range(5)]
        seen, token = [], {}
        while True:
            page = control.list_artifacts(ArtifactType=kind, MaxResults=2, SortOrder="Ascending", **token)
            seen += [one["ArtifactArn"] for one in page["ArtifactSummaries"]]
            if len(seen) == 2:
                arns.append(self.artifact(kind))
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        self.assertEqual(seen, arns)
        newest = control.list_artifacts(ArtifactType=kind, MaxResults=1)["ArtifactSummaries"]
        self.assertEqual(newest[0]["ArtifactArn"], arns[-1])
        self.refused("ValidationException", 400, control.list_artifacts, NextToken="none of ours")

    def test_associations_are_walked(self):
        name, _ = make("lineage")
        created = int(control.describe_feature_group(FeatureGroupName=name)["CreationTime"].timestamp())
        context = control.describe_context(ContextName=f"{name}-{created}-feature-group-pipeline-version")["ContextArn"]
        raw, model = self.artifact(), self.artifact("Model", ArtifactName=f"churn-{next(counter)}")
        self.assertEqual(self.around(raw), set())
        control.add_association(SourceArn=raw, DestinationArn=context, AssociationType="ContributedTo")
        control.add_association(SourceArn=context, DestinationArn=model, AssociationType="DerivedFrom")
        self.refused("ValidationException", 400, control.add_association, SourceArn=raw, DestinationArn=context)
        self.refused("ResourceNotFound", 400, control.add_association, SourceArn=raw, DestinationArn=context + "-other")

        self.assertIn(model, self.around(raw, Direction="Descendants"))
        self.assertNotIn(model, self.around(raw, Direction="Descendants", MaxDepth=1))
        self.assertEqual(self.around(raw, Direction="Ascendants"), set())
        self.assertEqual(self.around(model, Direction="Ascendants", Filters={"LineageTypes": ["Artifact"]}), {raw})
        self.assertEqual(self.around(raw, Filters={"Types": ["Model"]}), {model})
        edges = control.query_lineage(StartArns=[raw], Direction="Descendants", IncludeEdges=True)["Edges"]
        self.assertIn({"SourceArn": context, "DestinationArn": model, "AssociationType": "DerivedFrom"}, edges)

        out = control.list_associations(SourceArn=context)["AssociationSummaries"]
        self.assertEqual([(one["DestinationArn"], one["AssociationType"], one["DestinationType"]) for one in out], [(model, "DerivedFrom", "Model")])
        self.assertEqual(control.list_associations(DestinationArn=context, SourceType="Model")["AssociationSummaries"], [])
        self.refused("ValidationException", 400, control.delete_artifact, ArtifactArn=raw)
        control.delete_association(SourceArn=raw, DestinationArn=context)
        self.refused("ResourceNotFound", 400, control.delete_association, SourceArn=raw, DestinationArn=context)
        self.assertEqual(self.around(raw, Direction="Descendants"), set())
        control.delete_artifact(ArtifactArn=raw)


class Records(Case):
    def get(self, group, identifier, **more):
        return runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=identifier, **more)

    def test_values_echo_and_late_records_stay_offline(self):
        name, arn = make()
        texts = {"id": 'é"\\\u0000\U0001f4a9', "at": "1.0e2", "total": "100.00", "visits": "+7"}
        runtime.put_record(FeatureGroupName=arn, Record=list(reversed(record(**texts))))
        answer = self.get(arn, texts["id"])
        self.assertEqual(read(answer), texts)
        self.assertEqual([value["FeatureName"] for value in answer["Record"]], list(texts), "in definition order")
        self.assertEqual(read(self.get(name, texts["id"], FeatureNames=["visits", "total"])), {"total": "100.00", "visits": "+7"})
        runtime.put_record(FeatureGroupName=name, Record=record(id=texts["id"], at="99", total="1"))
        self.assertEqual(read(self.get(name, texts["id"])), texts, "a late record")
        runtime.put_record(FeatureGroupName=name, Record=record(id=texts["id"], at="100", total="1"))
        self.assertEqual(read(self.get(name, texts["id"])), {"id": texts["id"], "at": "100", "total": "1"}, "equal replaces, as a whole")
        self.assertNotIn("Record", self.get(name, "nobody"))

    def test_collections(self):
        definitions = DEFINITIONS[:2] + [
            {"FeatureName": "l", "FeatureType": "Fractional", "CollectionType": "List"},
            {"FeatureName": "s", "FeatureType": "String", "CollectionType": "Set"},
            {"FeatureName": "v", "FeatureType": "Fractional", "CollectionType": "Vector", "CollectionConfig": {"VectorConfig": {"Dimension": 2}}},
        ]
        name, _ = make(definitions=definitions, offline=False)
        values = {"id": "a", "at": "1", "l": ["25", "2.50"], "s": ["x", ""], "v": ["1", "2"]}
        runtime.put_record(FeatureGroupName=name, Record=record(**values))
        self.assertEqual(read(self.get(name, "a")), values)
        for wrong in ({"s": ["x", "x"]}, {"v": ["1"]}, {"l": "1"}, {"l": ["x"]}):
            self.refused("ValidationError", 400, runtime.put_record, FeatureGroupName=name, Record=record(**{**values, **wrong}))

    def test_deletes(self):
        name, _ = make()
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="10"))
        delete = dict(FeatureGroupName=name, RecordIdentifierValueAsString="a")
        self.refused("ValidationError", 400, runtime.delete_record, **delete, EventTime="9", DeletionMode="HardDelete")
        runtime.delete_record(**delete, EventTime="9")
        self.assertEqual(read(self.get(name, "a"))["at"], "10", "an older soft delete leaves it")
        runtime.delete_record(**delete, EventTime="11", TargetStores=["OnlineStore", "OfflineStore"])
        self.assertNotIn("Record", self.get(name, "a"))
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="10"))
        self.assertNotIn("Record", self.get(name, "a"), "older than the delete")
        runtime.delete_record(**delete, EventTime="12", DeletionMode="HardDelete")
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="1"))
        self.assertEqual(read(self.get(name, "a"))["at"], "1", "a hard delete forgets")
        self.refused("ValidationError", 400, runtime.delete_record, **delete, EventTime="soon")
        self.refused("ValidationError", 400, bare_runtime.delete_record, **delete, EventTime="1", DeletionMode="Softly")

    def test_time_to_live(self):
        name, _ = make(OnlineStoreConfig={"EnableOnlineStore": True, "TtlDuration": {"Unit": "Hours", "Value": 1}})
        now = int(time.time())
        runtime.put_record(FeatureGroupName=name, Record=record(id="group", at=str(now)))
        runtime.put_record(FeatureGroupName=name, Record=record(id="own", at=str(now)), TtlDuration={"Unit": "Days", "Value": 1})
        runtime.put_record(FeatureGroupName=name, Record=record(id="past", at=str(now - 7200)))
        for identifier, seconds in (("group", 3600), ("own", 86400)):
            answer = self.get(name, identifier, ExpirationTimeResponse="Enabled")
            self.assertEqual(datetime.fromisoformat(answer["ExpiresAt"]).timestamp(), now + seconds)
            self.assertNotIn("ExpiresAt", self.get(name, identifier))
        self.assertNotIn("Record", self.get(name, "past"))
        asked = [{"FeatureGroupName": name, "RecordIdentifiersValueAsString": ["own", "past"]}]
        batch = runtime.batch_get_record(Identifiers=asked, ExpirationTimeResponse="Enabled")
        self.assertEqual([r["RecordIdentifierValueAsString"] for r in batch["Records"]], ["own"])
        self.assertEqual(datetime.fromisoformat(batch["Records"][0]["ExpiresAt"]).timestamp(), now + 86400)

    def test_what_can_not_be_put_or_got(self):
        name, _ = make()
        online, _ = make(offline=False)
        offline, _ = make(online=False)
        good = record(id="a", at="1")
        put = bare_runtime.put_record
        for change, told in [
            ({"Record": record(id="a")}, "at"),
            ({"Record": record(at="1")}, "id"),
            ({"Record": record(id="a", at="1", nothing="1")}, "nothing"),
            ({"Record": record(id="a", at="1", total="NaN")}, "total"),
            ({"Record": record(id="a", at="1", visits="1.5")}, "visits"),
            ({"Record": record(id="a", at="1", visits=["1"])}, "visits"),
            ({"Record": record(id="x" * 2049, at="1")}, "identifier"),
            ({"Record": record(id="a", at="1") + record(id="b")}, "twice"),
            ({"Record": [{"FeatureName": "id"}]}, "exactly one of ValueAsString and ValueAsStringList"),
            ({"Record": []}, "at 'record' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            ({"TargetStores": ["Shelf"]}, "Member must satisfy enum value set: [OnlineStore, OfflineStore]"),
            ({"TargetStores": []}, "targetStores"),
            ({"TtlDuration": {"Unit": "Days", "Value": 0}}, "ttlDuration.value"),
            ({"FeatureGroupName": online, "TargetStores": ["OfflineStore"]}, "no offline store"),
            ({"FeatureGroupName": offline, "TargetStores": ["OnlineStore"]}, "no online store"),
            ({"FeatureGroupName": offline, "TtlDuration": {"Unit": "Days", "Value": 1}}, "ttl"),
            ({"FeatureGroupName": "nowhere"}, "Resource Not Found: "),
            ({"FeatureGroupName": "bad_"}, "at 'featureGroupName' failed to satisfy constraint"),
        ]:
            with self.subTest(told=told):
                self.assertIn(told.lower(), self.refused("ValidationError", 400, put, **{"FeatureGroupName": name, "Record": good, **change}).lower())
        got = dict(RecordIdentifierValueAsString="a")
        self.assertIn("Resource Not Found: ", self.refused("ResourceNotFound", 404, runtime.get_record, FeatureGroupName="nowhere", **got))
        self.refused("ValidationError", 400, runtime.get_record, FeatureGroupName=offline, **got)
        self.refused("ValidationError", 400, runtime.get_record, FeatureGroupName=name, FeatureNames=["nothing"], **got)
        self.refused("ValidationError", 400, bare_runtime.get_record, FeatureGroupName=name, ExpirationTimeResponse="Maybe", **got)
        self.refused("ValidationError", 400, bare_runtime.get_record, FeatureGroupName=name)
        self.assertIn("Resource Not Found: ", self.refused("ValidationError", 400, runtime.delete_record, FeatureGroupName="nowhere", EventTime="1", **got))
        runtime.put_record(FeatureGroupName=offline, Record=good)

    def test_target_stores(self):
        name, _ = make()
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="1"), TargetStores=["OfflineStore"])
        self.assertNotIn("Record", self.get(name, "a"))
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="1"), TargetStores=["OnlineStore"])
        self.assertIn("Record", self.get(name, "a"))

    def test_batch_get(self):
        name, arn = make()
        other, _ = make()
        for identifier in ("a", "b", "c"):
            runtime.put_record(FeatureGroupName=name, Record=record(id=identifier, at="1", total="2"))
        runtime.put_record(FeatureGroupName=other, Record=record(id="z", at="1"))
        answer = runtime.batch_get_record(
            Identifiers=[
                {"FeatureGroupName": arn, "RecordIdentifiersValueAsString": ["c", "none", "a"], "FeatureNames": ["total"]},
                {"FeatureGroupName": other, "RecordIdentifiersValueAsString": ["z"]},
                {"FeatureGroupName": "nowhere", "RecordIdentifiersValueAsString": ["x", "y"]},
                {"FeatureGroupName": other, "RecordIdentifiersValueAsString": ["z"], "FeatureNames": ["nothing"]},
            ]
        )
        seen = [(r["FeatureGroupName"], r["RecordIdentifierValueAsString"], read(r)) for r in answer["Records"]]
        self.assertEqual(seen, [(arn, "c", {"total": "2"}), (arn, "a", {"total": "2"}), (other, "z", {"id": "z", "at": "1"})])
        errors = [(e["FeatureGroupName"], e["RecordIdentifierValueAsString"], e["ErrorCode"]) for e in answer["Errors"]]
        self.assertEqual(errors, [("nowhere", "x", "ResourceNotFound"), ("nowhere", "y", "ResourceNotFound"), (other, "z", "ValidationError")])
        self.assertEqual(answer["UnprocessedIdentifiers"], [])
        for wrong in ([], [{"FeatureGroupName": name, "RecordIdentifiersValueAsString": ["x"] * 101}], [{"FeatureGroupName": "-", "RecordIdentifiersValueAsString": ["x"]}]):
            self.refused("ValidationError", 400, bare_runtime.batch_get_record, Identifiers=wrong)

    def test_batch_write_fails_entry_by_entry(self):
        name, _ = make()
        now = int(time.time())
        entries = [{"FeatureGroupName": name, "Record": record(id=f"r{index}", at=str(now))} for index in range(10)]
        entries[3]["Record"][1]["ValueAsString"] = "never"
        entries[4]["FeatureGroupName"] = "nowhere"
        entries[5]["TtlDuration"] = {"Unit": "Days", "Value": 2}
        answer = runtime.batch_write_record(Entries=entries, TtlDuration={"Unit": "Days", "Value": 1})
        errors = {error["Entry"]["Record"][0]["ValueAsString"]: error for error in answer["Errors"]}
        self.assertEqual({identifier: error["ErrorCode"] for identifier, error in errors.items()}, {"r3": "ValidationError", "r4": "ResourceNotFound"})
        self.assertEqual(errors["r3"]["Entry"], entries[3])
        self.assertEqual(answer["UnprocessedEntries"], [])
        for index in range(10):
            got = self.get(name, f"r{index}", ExpirationTimeResponse="Enabled")
            if index in (3, 4):
                self.assertNotIn("Record", got)
            else:
                self.assertEqual(datetime.fromisoformat(got["ExpiresAt"]).timestamp(), now + 86400 * (2 if index == 5 else 1))
        self.refused("ValidationError", 400, bare_runtime.batch_write_record, Entries=entries * 3)
        self.refused("ValidationError", 400, bare_runtime.batch_write_record, Entries=[])

    def test_update_record(self):
        name, _ = make()
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="10", total="1", visits="2"))
        update = dict(FeatureGroupName=name, RecordIdentifierValueAsString="a")
        runtime.update_record(**update, Features=record(total="3"))
        self.assertEqual(read(self.get(name, "a")), {"id": "a", "at": "10", "total": "3", "visits": "2"})
        runtime.update_record(**update, Features=record(at="11", visits="4"))
        self.assertEqual(read(self.get(name, "a")), {"id": "a", "at": "11", "total": "3", "visits": "4"})
        self.refused("ConflictException", 409, runtime.update_record, **update, Features=record(at="10", visits="5"))
        self.refused("ValidationError", 400, runtime.update_record, **update, Features=record(nothing="5"))
        self.refused("ValidationError", 400, runtime.update_record, **update, Features=record(id="b"))
        self.refused("ValidationError", 400, runtime.update_record, **update, Features=record(total="5"), TtlDuration={"Unit": "Days", "Value": 1})
        self.refused("ResourceNotFound", 404, runtime.update_record, FeatureGroupName=name, RecordIdentifierValueAsString="b", Features=record(total="1"))
        self.refused("ResourceNotFound", 404, runtime.update_record, FeatureGroupName="nowhere", RecordIdentifierValueAsString="b", Features=record(total="1"))
        now = str(int(time.time()))
        runtime.update_record(**update, Features=record(at=now), TtlDuration={"Unit": "Hours", "Value": 1})
        runtime.update_record(**update, Features=record(total="6"))
        self.assertEqual(datetime.fromisoformat(self.get(name, "a", ExpirationTimeResponse="Enabled")["ExpiresAt"]).timestamp(), int(now) + 3600)
        runtime.delete_record(**update, EventTime=str(int(now) + 1))
        self.refused("ResourceNotFound", 404, runtime.update_record, **update, Features=record(total="7"))

    def test_list_records(self):
        name, _ = make()
        identifiers = [f"k{index:02}" for index in range(25)]
        for identifier in identifiers:
            runtime.put_record(FeatureGroupName=name, Record=record(id=identifier, at="1"))
        runtime.delete_record(FeatureGroupName=name, RecordIdentifierValueAsString="k05", EventTime="2")
        pages = runtime.get_paginator("list_records")
        def listed(**more):
            return [i for page in pages.paginate(FeatureGroupName=name, PaginationConfig={"PageSize": 7}, **more) for i in page["RecordIdentifiers"]]
        self.assertEqual(listed(), [i for i in identifiers if i != "k05"])
        self.assertEqual(listed(IncludeSoftDeletedRecords=True), identifiers)
        first = runtime.list_records(FeatureGroupName=name, MaxResults=3)
        runtime.put_record(FeatureGroupName=name, Record=record(id="a-new-one", at="1"))
        rest = runtime.list_records(FeatureGroupName=name, NextToken=first["NextToken"])
        self.assertEqual(first["RecordIdentifiers"] + rest["RecordIdentifiers"], [i for i in identifiers if i != "k05"])
        self.assertNotIn("NextToken", rest)
        self.refused("ResourceNotFound", 404, runtime.list_records, FeatureGroupName="nowhere")
        self.refused("ValidationError", 400, runtime.list_records, FeatureGroupName=name, NextToken="nonsense")
        self.refused("ValidationError", 400, bare_runtime.list_records, FeatureGroupName=name, MaxResults=101)


class Wire(Case):
    def raw(self, method, path, body=b"", headers=()):
        connection = http.client.HTTPConnection(urlsplit(ENDPOINT).netloc, timeout=20)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), body

    def test_own_pages(self):
        self.assertEqual(self.raw("GET", "/healthz")[0], 200)
        self.assertEqual(self.raw("GET", "/readyz")[0], 200)

    @unittest.skipIf(KEYS, "these requests are not signed")
    def test_clients_mistakes_are_no_faults_of_the_server(self):
        name, _ = make()
        target = {"X-Amz-Target": "SageMaker.ListFeatureGroups", "Content-Type": "application/x-amz-json-1.1"}
        mistakes = [
            ("POST", "/", body, target) for body in (b"{", b"[]", b"null", b"\xff", b'"x"', b'{"MaxResults":"x"}', b"[" * 100_000)
        ] + [
            ("POST", "/", b"{}", {"X-Amz-Target": "SageMaker"}),
            ("PUT", f"/FeatureGroup/{name}", b"{", {}),
            ("PUT", f"/FeatureGroup/{name}", b'{"Record":{}}', {}),
            ("PUT", f"/FeatureGroup/{name}", b'{"Record":[{"FeatureName":"id","ValueAsString":null}]}', {}),
            ("PUT", f"/FeatureGroup/{name}", b"", {}),
            ("PATCH", f"/FeatureGroup/{name}", b"", {}),
            ("GET", f"/FeatureGroup/{quote('%ff')}?RecordIdentifierValueAsString=x", b"", {}),
            ("GET", "/FeatureGroup/%00?RecordIdentifierValueAsString=%ff%fe", b"", {}),
            ("POST", "/BatchGetRecord", b'{"Identifiers":[1]}', {}),
            ("POST", "/BatchWriteRecord", b'{"Entries":7}', {}),
        ]
        for method, path, body, headers in mistakes:
            status, _, text = self.raw(method, path, body, headers)
            self.assertTrue(400 <= status < 500, (method, path, body[:40], status, text))
        # The group that boto3 names by an ARN with an encoded slash still answers.
        status, headers, _ = self.raw("GET", f"/FeatureGroup/{quote(f'arn:aws:sagemaker:eu-west-1:000000000000:feature-group/{name}', safe='')}?RecordIdentifierValueAsString=x")
        self.assertEqual(status, 200)
        self.assertIn("x-amzn-requestid", {header.lower() for header in headers})
        status, _, page = self.raw("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(page.decode(), r'larder_request_duration_seconds_count\{operation="GetRecord"\} [1-9]')

    @unittest.skipIf(KEYS, "these requests are not signed")
    def test_too_large_bodies_are_refused_before_they_are_read(self):
        connection = http.client.HTTPConnection(urlsplit(ENDPOINT).netloc, timeout=20)
        connection.putrequest("POST", "/BatchGetRecord")
        connection.putheader("Content-Length", str(1 << 40))
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 413)
        connection.close()


@unittest.skipUnless(KEYS, "the server checks no signatures")
class Keys(Case):
    def test_who_may_do_what(self):
        name, _ = make()
        runtime.put_record(FeatureGroupName=name, Record=record(id="a", at="1"))
        get = dict(FeatureGroupName=name, RecordIdentifierValueAsString="a")
        reader = client("sagemaker-featurestore-runtime", os.environ["LARDER_READER"], KEYS)
        self.assertIn("Record", reader.get_record(**get))
        self.refused("AccessForbidden", 403, reader.put_record, FeatureGroupName=name, Record=record(id="a", at="2"))
        self.refused("AccessForbidden", 403, reader.delete_record, EventTime="2", **get)
        reader = client("sagemaker", os.environ["LARDER_READER"], KEYS)
        self.assertEqual(reader.describe_feature_group(FeatureGroupName=name)["FeatureGroupName"], name)
        self.refused("AccessDeniedException", 400, reader.delete_feature_group, FeatureGroupName=name)
        bound_name, _ = make(prefix="bound")
        bound = client("sagemaker-featurestore-runtime", os.environ["LARDER_BOUND"], KEYS)
        bound.put_record(FeatureGroupName=bound_name, Record=record(id="a", at="1"))
        self.refused("AccessForbidden", 403, bound.get_record, **get)
        bound = client("sagemaker", os.environ["LARDER_BOUND"], KEYS)
        listed = bound.list_feature_groups()["FeatureGroupSummaries"]
        self.assertTrue(listed and all(group["FeatureGroupName"].startswith("bound-") for group in listed))
        # What is next to a group in the lineage would tell of others.
        self.refused("AccessDeniedException", 400, bound.list_artifacts)
        self.refused("AccessDeniedException", 400, reader.create_context, ContextName="c", ContextType="t", Source={"SourceUri": "u"})
        self.assertIn("ContextSummaries", reader.list_contexts())

    def test_altered_and_foreign_signatures(self):
        ask = dict(FeatureGroupName="nowhere", RecordIdentifierValueAsString="é /?&=+%~")
        self.refused("ResourceNotFound", 404, runtime.get_record, **ask)
        for service, status, call in [("sagemaker", 400, "list_feature_groups"), ("sagemaker-featurestore-runtime", 403, "get_record")]:
            arguments = ask if call == "get_record" else {}
            stranger = client(service, "NOBODY", KEYS)
            self.refused("UnrecognizedClientException", status, getattr(stranger, call), **arguments)
            forger = client(service, secret="not-the-secret")
            self.refused("InvalidSignatureException", 403, getattr(forger, call), **arguments)

        def altered(change):
            tampered = client("sagemaker-featurestore-runtime")
            tampered.meta.events.register_last("before-send.*.*", lambda request, **_: change(request))
            return tampered.put_record

        put = dict(FeatureGroupName="nowhere", Record=record(id="a", at="1"))
        self.refused("ValidationError", 400, altered(lambda request: None), **put)
        def other_body(request):
            request.body = request.body.replace(b'"a"', b'"b"')
        def other_path(request):
            request.url = request.url.replace("nowhere", "anywhere")
        def other_query(request):
            request.url += "?x=y"
        def more_header(request):
            request.headers["X-Amz-Target"] = "SageMaker.DeleteFeatureGroup"
        for change in (other_body, other_path, other_query):
            self.refused("InvalidSignatureException", 403, altered(change), **put)
        with self.assertRaises(ClientError):
            altered(more_header)(**put)
        unsigned = http.client.HTTPConnection(urlsplit(ENDPOINT).netloc, timeout=20)
        unsigned.request("GET", "/FeatureGroup/nowhere?RecordIdentifierValueAsString=x")
        answer = unsigned.getresponse()
        self.assertEqual((answer.status, answer.getheader("x-amzn-errortype")), (403, "MissingAuthenticationTokenException"))
        unsigned.close()


if __name__ == "__main__":
    unittest.main(verbosity=1)
