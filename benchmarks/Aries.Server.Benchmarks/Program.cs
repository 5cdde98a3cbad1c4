// Requests a second and the time to the first text, for 1, 16 and 128 clients, with and without batching, as a Markdown table.
// dotnet run -c Release --project benchmarks/Aries.Server.Benchmarks -- [seconds a cell]
using System.Globalization;
using System.Runtime.InteropServices;
using Aries;
using Aries.Managed;
using Aries.Server.Benchmarks;
using Microsoft.AspNetCore.Builder;
using OpenAICompatibleServer;

TimeSpan duration = TimeSpan.FromSeconds(args is [{ } seconds] ? double.Parse(seconds, CultureInfo.InvariantCulture) : 2);

// Compiled to its last tier before anything is measured: the first cell would pay for all others.
await MeasureAsync(16, batches: false, TextWriter.Null);
await MeasureAsync(16, batches: true, TextWriter.Null);
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {duration.TotalSeconds} s a cell"));
Console.WriteLine();
Console.WriteLine("| clients | batching | whole: requests/s | whole: median ms | streams/s | first text: median ms | first text: 95 % within ms |");
Console.WriteLine("| ---: | --- | ---: | ---: | ---: | ---: | ---: |");
foreach (int clientCount in new[] { 1, 16, 128 })
{
    foreach (bool batches in new[] { false, true })
    {
        await MeasureAsync(clientCount, batches, Console.Out);
    }
}

async Task MeasureAsync(int clientCount, bool batches, TextWriter output)
{
    using ManagedPolicyModel managed = await ManagedPolicyModel.LoadAsync(Path.Combine(AppContext.BaseDirectory, "model"));
    using BatchingPolicyModel batching = new(managed, new BatchingPolicyOptions { MaxBatchSize = 32 });
    await using WebApplication app = ServerApplication.Create(batches ? batching : managed, new ServerOptions { Port = 0, ModelName = "quickstart" });
    await app.StartAsync();
    using HttpClient http = new() { BaseAddress = new Uri(app.Urls.Single() + "/v1/") };

    // Connected before anything is measured.
    await RunAsync(streams: false, TimeSpan.FromSeconds(0.3));
    await RunAsync(streams: true, TimeSpan.FromSeconds(0.3));
    Load whole = await RunAsync(streams: false, duration);
    Load streamed = await RunAsync(streams: true, duration);
    output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {clientCount} | {(batches ? "on" : "off")} | {whole.RequestsPerSecond:F0} | {whole.Quantile(0.5) * 1000:F1} | {streamed.RequestsPerSecond:F0} | {streamed.Quantile(0.5) * 1000:F1} | {streamed.Quantile(0.95) * 1000:F1} |"));

    async Task<Load> RunAsync(bool streams, TimeSpan time)
    {
        Load load = new(http, clientCount, time);
        await load.RunAsync(streams);
        return load;
    }
}
