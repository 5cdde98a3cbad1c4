using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using OpenAI;
using OpenAICompatibleServer;

namespace Aries.Server.Tests;

/// <summary>The sample's server on a free port of this machine, and clients that ask it.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RunningServer(WebApplication app)
    {
        _app = app;
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.Single() + "/v1/"), Timeout = TimeSpan.FromMinutes(1) };
    }

    public HttpClient Http { get; }

    public static async Task<RunningServer> StartAsync(IPolicyModel policy, ServerOptions? options = null)
    {
        WebApplication app = ServerApplication.Create(policy, (options ?? new ServerOptions()) with { Port = 0, ModelName = "toy" });
        await app.StartAsync();
        return new RunningServer(app);
    }

    public OpenAIClient OpenAI(string key = "none", int maxRetries = 0) => new(
        new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(_app.Urls.Single() + "/v1"), RetryPolicy = new ClientRetryPolicy(maxRetries) });

    /// <summary>Posts a body to chat/completions.</summary>
    public Task<HttpResponseMessage> PostAsync(string body, bool untilEnd = true, CancellationToken cancellationToken = default)
    {
        HttpRequestMessage message = new(HttpMethod.Post, "chat/completions") { Content = new StringContent(body) };
        return Http.SendAsync(message, untilEnd ? HttpCompletionOption.ResponseContentRead : HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>Reads the error of a response, which must have OpenAI's form: these four keys and no other.</summary>
    public static async Task<(string Message, string Type, string? Param, string? Code)> ReadErrorAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        return ReadError(await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    public static (string Message, string Type, string? Param, string? Code) ReadError(JsonElement body)
    {
        JsonElement error = Assert.Single(body.EnumerateObject()).Value;
        Assert.Equal(["code", "message", "param", "type"], error.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
        return (error.GetProperty("message").GetString()!, error.GetProperty("type").GetString()!, error.GetProperty("param").GetString(), error.GetProperty("code").GetString());
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
    }
}
