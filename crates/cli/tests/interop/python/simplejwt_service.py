import django
from common import *
from django.conf import settings

settings.configure(
    SECRET_KEY="of this test",
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    ROOT_URLCONF=__name__,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
    SIMPLE_JWT={
        "ALGORITHM": "ES256", "JWK_URL": JWKS_URL, "ISSUER": ISSUER, "AUDIENCE": AUDIENCE,
        "USER_ID_CLAIM": "sub", "TOKEN_TYPE_CLAIM": None,
    },
)
django.setup()
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.test import APIClient


@api_view()
def notes(request):
    return Response([])


urlpatterns = [path("notes", notes)]


def accepts(token):
    code = APIClient().get("/notes", headers={"Authorization": f"Bearer {token}"}).status_code
    assert code in (200, 401), code
    return code == 200


tell("djangorestframework-simplejwt", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
