namespace OpenAICompatibleServer;

/// <summary>A failure in the form that OpenAI's clients know: <c>{"error": {"message", "type", "param", "code"}}</c>.</summary>
internal sealed class ApiException(int status, string type, string? code, string? param, string message, Exception? innerException = null) : Exception(message, innerException)
{
    public int Status => status;

    public ErrorBody Body => new(new ErrorDetail(Message, type, param, code));

    public static ApiException Invalid(string message, string? param, string? code = null, Exception? innerException = null) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error", code, param, message, innerException);

    public static ApiException WrongKey() =>
        new(StatusCodes.Status401Unauthorized, "invalid_request_error", "invalid_api_key", null, "The API key is missing or wrong. Send it as 'Authorization: Bearer KEY'.");

    public static ApiException NoSuchModel(string model, IEnumerable<string> known) =>
        new(StatusCodes.Status404NotFound, "invalid_request_error", "model_not_found", "model", $"The model '{model}' does not exist. Served are {string.Join(" and ", known)}.");

    public static ApiException Busy() =>
        new(StatusCodes.Status429TooManyRequests, "requests", "rate_limit_exceeded", null, "Too many requests wait already. Come again after the time in Retry-After.");

    public static ApiException Stopping() =>
        new(StatusCodes.Status503ServiceUnavailable, "server_error", "server_shutting_down", null, "The server stops. Ask again when it is back.");

    public static ApiException OfStatus(int status) => status switch
    {
        StatusCodes.Status413PayloadTooLarge => new(status, "invalid_request_error", "request_too_large", null, "The request's body is larger than this server takes."),
        StatusCodes.Status404NotFound => new(status, "invalid_request_error", "unknown_url", null, "There is no such path here. Ask /v1/chat/completions or /v1/models."),
        StatusCodes.Status405MethodNotAllowed => new(status, "invalid_request_error", "method_not_allowed", null, "The path knows another method: POST for chat/completions, GET for models."),
        >= 500 => new(status, "server_error", null, null, "The server failed to answer. Its log says why."),
        _ => new(status, "invalid_request_error", null, null, $"The request cannot be answered: HTTP {status}."),
    };

    /// <summary>Makes of what the policy threw what the client is told.</summary>
    public static ApiException Of(Exception exception) => exception switch
    {
        ApiException api => api,
        BadHttpRequestException bad => OfStatus(bad.StatusCode),
        ArgumentException => Invalid(exception.Message, "messages", innerException: exception),
        NotSupportedException => Invalid(exception.Message, null, "unsupported_parameter", exception),
        _ => OfStatus(StatusCodes.Status500InternalServerError),
    };

    /// <summary>Writes the failure as the whole response.</summary>
    public async Task WriteAsync(HttpContext context)
    {
        context.Response.StatusCode = Status;
        if (Status == StatusCodes.Status429TooManyRequests)
        {
            context.Response.Headers.RetryAfter = "1";
        }
        else if (Status == StatusCodes.Status401Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
        }

        await context.Response.WriteAsJsonAsync(Body, ProtocolJson.Default.ErrorBody, cancellationToken: context.RequestAborted);
    }
}
