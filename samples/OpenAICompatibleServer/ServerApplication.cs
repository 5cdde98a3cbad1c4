using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using Aries;

namespace OpenAICompatibleServer;

/// <summary>The web application: who is let in, how many at once, and what happens when it stops.</summary>
internal static class ServerApplication
{
    private const string Admission = "generation";

    /// <summary>Makes the application; it is not started yet.</summary>
    /// <param name="policy">What answers; the caller disposes it after the application.</param>
    /// <param name="options">How it runs.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public static WebApplication Create(IPolicyModel policy, ServerOptions options)
    {
        options.Validate();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Address, options.Port);
            kestrel.Limits.MaxRequestBodySize = options.MaxRequestBytes;
            kestrel.AddServerHeader = false;
        });

        // Some time after the grace, in which running answers are told that the server stops.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownGrace + TimeSpan.FromSeconds(5));
        if (options.ApiKey is null)
        {
            // A browser takes a web page whose name was made to lead to this machine for the server's own. The host's filter, which runs before all else, knows it by that name.
            builder.Services.AddHostFiltering(filter => filter.AllowedHosts = ["localhost", "127.0.0.1", "[::1]", new UriBuilder("http", options.Address.ToString()).Uri.Host]);
        }

        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(new ServedModels(policy, options));
        builder.Services.AddSingleton<ChatEndpoint>();
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.AddPolicy(Admission, _ => RateLimitPartition.GetConcurrencyLimiter("all", _ => new ConcurrencyLimiterOptions
            {
                PermitLimit = options.MaxConcurrency,
                QueueLimit = options.MaxQueueLength,
                QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
            }));
            limiter.OnRejected = (rejected, _) => new ValueTask(ApiException.Busy().WriteAsync(rejected.HttpContext));
        });

        WebApplication app = builder.Build();
        CancellationTokenSource stopping = new();
        app.Lifetime.ApplicationStopping.Register(() => stopping.CancelAfter(options.ShutdownGrace));
        app.Lifetime.ApplicationStopped.Register(stopping.Dispose);

        app.UseStatusCodePages(pages => ApiException.OfStatus(pages.HttpContext.Response.StatusCode).WriteAsync(pages.HttpContext));
        if (options.ApiKey is { } key)
        {
            RequireKey(app, key);
        }

        app.UseRateLimiter();
        app.MapPost("/v1/chat/completions", (HttpContext context, ChatEndpoint endpoint) => endpoint.AnswerAsync(context, stopping.Token)).RequireRateLimiting(Admission);
        app.MapGet("/v1/models", (HttpContext context, ServedModels models, TimeProvider time) => context.Response.WriteAsJsonAsync(
            new ModelList("list", [.. models.Names.Select(name => new ModelEntry(name, "model", time.GetUtcNow().ToUnixTimeSeconds(), "aries"))]), ProtocolJson.Default.ModelList));
        return app;
    }

    private static void RequireKey(WebApplication app, string key)
    {
        // Hashes have one length, and are compared in a time that says nothing of where they differ.
        byte[] expected = SHA256.HashData(Encoding.UTF8.GetBytes($"Bearer {key}"));
        app.Use((context, next) => CryptographicOperations.FixedTimeEquals(expected, SHA256.HashData(Encoding.UTF8.GetBytes(context.Request.Headers.Authorization.ToString())))
            ? next(context)
            : ApiException.WrongKey().WriteAsync(context));
    }
}
