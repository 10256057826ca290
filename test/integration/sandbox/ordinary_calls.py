"""The ordinary calls of Microsoft's Python client for Dataverse. Prints what each gave, as one JSON object."""

import json
import sys
import time

import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.models.upsert import UpsertItem

base_url, token_url, client_id, client_secret, control_url = sys.argv[1:]


class TokenEndpoint:
    """A credential that asks the token endpoint each time, as azure-identity does when it holds nothing."""

    def get_token(self, *scopes, **_):
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scopes[0],
        }
        answer = requests.post(token_url, data=form, timeout=30)
        answer.raise_for_status()
        body = answer.json()
        return AccessToken(body["access_token"], int(time.time()) + body["expires_in"])


def control(name, /, **arguments):
    answer = requests.post(f"{control_url}/control/{name}", json=arguments, timeout=30)
    answer.raise_for_status()
    return answer.json()["result"]


def refused(call):
    try:
        call()
    except HttpError as error:
        return {"status": error.status_code, "transient": error.is_transient, **error.details}
    return None


client = DataverseClient(base_url, TokenEndpoint())
seen = {}

made = client.records.create("contact", {"lastname": "Python", "accountnumber": "PY1", "gendercode": "Female"})
row = client.records.retrieve("contact", made, select=["lastname", "gendercode"])
seen["created"] = {"lastname": row["lastname"], "gendercode": row["gendercode"]}
client.records.update("contact", made, {"lastname": "Changed"})
seen["updated"] = client.records.retrieve("contact", made, select=["lastname"])["lastname"]

ids = client.records.create("contact", [{"lastname": "Bulk", "fax": str(n)} for n in range(7)])
client.records.update("contact", ids[:2], {"fax": "both"})
pages = client.records.list_pages("contact", filter="lastname eq 'Bulk'", select=["fax"], page_size=3)
seen["pages"] = [[one["fax"] for one in page] for page in pages]

client.records.upsert("contact", [UpsertItem({"accountnumber": "PY1"}, {"jobtitle": "upserted"})])
several = [UpsertItem({"accountnumber": key}, {"lastname": f"Upsert {key}"}) for key in ("PY1", "PY2")]
client.records.upsert("contact", several)
upserted = client.records.list("contact", filter="startswith(accountnumber,'PY')", orderby=["accountnumber asc"])
seen["upserted"] = [one["lastname"] for one in upserted]

batch = client.batch.new()
with batch.changeset() as change_set:
    account = change_set.records.create("account", {"name": "From a batch"})
    change_set.records.create("contact", {"lastname": "Child", "parentcustomerid_account@odata.bind": account})
batch.records.retrieve("contact", made, select=["lastname"])
result = batch.execute()
seen["batch"] = [[one.status_code, one.content_id, one.entity_id is not None] for one in result.responses]

bulk = client.batch.new()
bulk.records.create("contact", [{"lastname": "Many", "fax": str(n)} for n in range(3)])
bulk.records.update("contact", ids[:2], [{"fax": "first"}, {"fax": "second"}])
bulk.records.upsert("contact", [UpsertItem({"accountnumber": "PY3"}, {"lastname": "Upsert PY3"})])
bulk.records.list("contact", filter="lastname eq 'Many'", select=["fax"], orderby=["fax asc"])
bulk.records.delete("contact", ids[2:4], use_bulk_delete=False)
bulk.tables.get("contact")
answers = bulk.execute().responses
seen["bulk in a batch"] = [one.status_code for one in answers]
seen["listed in a batch"] = [one["fax"] for one in answers[3].data["value"]]
seen["paired"] = [client.records.retrieve("contact", one, select=["fax"])["fax"] for one in ids[:2]]

found = (
    client.query.builder("contact")
    .select("fax", "gendercode")
    .where((col("lastname") == "Bulk") & (col("fax") != "4"))
    .order_by("fax", descending=True)
    .page_size(2)
    .include_formatted_values()
    .execute()
)
seen["built"] = [one["fax"] for one in found]
client.records.delete("contact", ids[4:], use_bulk_delete=False)
seen["after deletion"] = len(client.records.list("contact", filter="lastname eq 'Bulk'"))

failing = client.batch.new()
failing.records.create("contact", {"lastname": "Kept"})
with failing.changeset() as change_set:
    change_set.records.create("contact", {"lastname": "Rolled back"})
    change_set.records.create("contact", {"firstname": "x" * 51})
failing.records.create("contact", {"lastname": "After"})
seen["stopped"] = [[one.status_code, one.error_code] for one in failing.execute().responses]
going_on = client.batch.new()
going_on.records.create("contact", {"firstname": "x" * 51})
going_on.records.create("contact", {"lastname": "After"})
seen["went on"] = [one.status_code for one in going_on.execute(continue_on_error=True).responses]
seen["kept"] = len(client.records.list("contact", filter="lastname eq 'Kept'"))
seen["rolled back"] = len(client.records.list("contact", filter="lastname eq 'Rolled back'"))

table = client.tables.get("contact")
seen["table"] = [table["table_logical_name"], table["entity_set_name"]]
columns = client.tables.list_columns("contact", typed=True)
seen["max length"] = [one["MaxLength"] for one in columns if one["LogicalName"] == "firstname"]
seen["tables"] = [one["LogicalName"] for one in client.tables.list(filter="ChangeTrackingEnabled eq true")]
column = client.tables.get_column("contact", "gendercode")
seen["column"] = [column["LogicalName"], column["AttributeType"]]
texts = client.tables.list_columns("contact", select=["LogicalName"], filter="AttributeType eq 'Memo'")
seen["memos"] = [one["LogicalName"] for one in texts]
seen["no table"] = client.tables.get("nosuch")
seen["keys"] = [key.key_attributes for key in client.tables.get_alternate_keys("contact")]

lookups = client.tables.list_table_relationships(
    "adobe_emailsend",
    filter="ReferencingAttribute eq 'regardingobjectid'",
    select=["ReferencedEntity", "ReferencingEntityNavigationPropertyName"],
)
seen["regarding"] = {one["ReferencedEntity"]: one["ReferencingEntityNavigationPropertyName"] for one in lookups}
property = seen["regarding"]["contact"]
activity = client.records.create("adobe_emailsend", {"subject": "Sent", f"{property}@odata.bind": f"/contacts({made})"})
bound = client.records.retrieve("adobe_emailsend", activity, select=["_regardingobjectid_value"])
seen["bound"] = bound["_regardingobjectid_value"] == made

client.records.delete("contact", made)
seen["gone"] = client.records.retrieve("contact", made)
seen["missing"] = refused(lambda: client.records.delete("contact", made))
seen["unsupported"] = refused(lambda: client.records.create("systemuser", [{"domainname": "a"}, {"domainname": "b"}]))

# Its own retries are for connections that break.
control("addFault", side="dataverse", method="GET", pathPattern="/contacts", times=2, action={"kind": "reset"})
seen["after two resets"] = len(client.records.list("contact", filter="lastname eq 'Kept'"))

# So are its retries of metadata that is not there yet.
absent = {"kind": "status", "status": 404}
control("addFault", side="dataverse", method="GET", pathPattern="RetrieveMetadataChanges", times=2, action=absent)
seen["after two 404s"] = len(client.tables.list_columns("account", typed=True)) > 0

busy = {"kind": "status", "status": 503, "headers": {"retry-after": "7"}}
control("addFault", side="dataverse", method="GET", pathPattern="/contacts", times=1, action=busy)
seen["unavailable"] = refused(lambda: client.records.list("contact", top=1))

control("setServiceProtection", enabled=True, requests=0)
seen["throttled"] = refused(lambda: client.records.list("contact", top=1))
control("setServiceProtection", enabled=False)

print(json.dumps(seen))
