"""JSON Schemas of what the API takes and gives.

The OpenAPI document shows them, requests are checked against them, and tests hold the answers
against them: there is no second description that could say something else.
"""
