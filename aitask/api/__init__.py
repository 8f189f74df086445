"""The JSON API, as a part of the site that is imported only when it is used."""
