"""Who asks, and what they may do.

``rules`` says what each operation needs, ``gate`` finds out who asks and compares, ``passwords``
checks those of people who sign in. What is not allowed by a rule is denied.
"""
