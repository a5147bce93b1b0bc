"""Autotask as a script: each test says which answer each path gives, however odd, and sees what was asked."""

from __future__ import annotations

import re

from scripted import Script
from support import shell_for

from connectors.autotask import Autotask
from connectors.autotask.settings import AutotaskSettings
from syncd.connector import Change
from syncd.model import Consent

HOST = "https://webservices5.autotask.net"
ZONE = "/atservicesrest/v1.0/zoneInformation"
SECRETS = {"Secret", "ApiIntegrationCode", "UserName"}
ACCOUNT = {"username": "api+user@example.com", "secret": "s3cret", "integration_code": "CODE"}
OPT_IN = [("1", "Opted-In"), ("2", "Opted-Out")]
APPROVAL = [("10", "Approved"), ("11", "Opted-Out"), ("12", "Pending")]


def udf(name, choices=(), **more):
    values = [{"value": value, "label": label, "isActive": True} for value, label in choices]
    return {
        "name": name,
        "label": name,
        "type": "string",
        "isPickList": bool(choices),
        "picklistValues": values,
        **more,
    }


def row(contact_id, consent=None, company=7, **more):
    udfs = [{"name": "SMS Opt-In", "value": consent}]
    names = {"firstName": "Ann", "lastName": "Lee", "mobilePhone": None, "phone": None, "alternatePhone": None}
    return {"id": contact_id, "companyID": company, "isActive": 1, "userDefinedFields": udfs} | names | more


def company(company_id, approval=None, **more):
    udfs = [{"name": "SMS Approval", "value": approval}]
    return {"id": company_id, "companyName": f"Company {company_id}", "userDefinedFields": udfs} | more


def page(rows, next_url=None, **details):
    details = {"count": len(rows), "requestCount": 500, "nextPageUrl": next_url} | details
    return {"items": rows, "pageDetails": details}


def errors(*texts, status=500):
    return status, {"errors": list(texts)}


class Tenant(Script):
    ROOT = "/ATServicesRest"

    def __init__(self):
        answers = {
            ("GET", ZONE): {"zoneName": "x", "url": f"{HOST}/ATServicesRest/"},
            ("GET", "/V1.0/Contacts/entityInformation/userDefinedFields"): {
                "fields": [udf("Birthday"), udf("SMS Opt-In", OPT_IN)]
            },
            ("GET", "/V1.0/Companies/entityInformation/userDefinedFields"): {
                "fields": [udf("SMS Approval", APPROVAL)]
            },
            ("GET", "/V1.0/ThresholdInformation"): {
                "externalRequestThreshold": 10000,
                "requestThresholdTimeframe": 60,
                "currentTimeframeRequestCount": 1,
            },
        }
        super().__init__(answers)

    def shows(self, *rows):
        """What a query of contacts and a read by id show."""
        self.put("POST", "/V1.0/Contacts/query", page(list(rows)))
        for one in rows:
            self.put("GET", f"/V1.0/Contacts/{one['id']}", {"item": one})

    def quick(self):
        """Calls other than those that look up zone, fields and allowance."""
        return [call for call in self.calls() if not re.search("zone|entityInformation|Threshold", call)]


def scripted():
    """A tenant that answers every request of this process."""
    yield from Tenant().serve()


def make(remarks=None, **settings):
    remark = remarks.append if remarks is not None else str
    return Autotask(AutotaskSettings(**ACCOUNT, **settings), shell_for(Autotask, remark))


def connected(tenant, remarks):
    """The connector of that tenant."""
    return make(remarks)


def write(psa, *contacts, consent=Consent.OPTED_OUT):
    return dict(psa.write([Change(str(contact), "1", consent) for contact in contacts]))
