import http, http.cookies, http.client, html
print(http.HTTPStatus(404).phrase, http.HTTPStatus.OK == 200, http.HTTPMethod.GET if hasattr(http, "HTTPMethod") else "", http.client.responses[503]); c = http.cookies.SimpleCookie("a=1; b=x%20y"); c["n"] = "v"; c["n"]["path"] = "/"; print(c["a"].value, c["n"].OutputString(), sorted(c))
