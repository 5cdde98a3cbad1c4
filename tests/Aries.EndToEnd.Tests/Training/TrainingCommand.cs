using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Aries.Managed;
using Aries.Preferences;

namespace Aries.EndToEnd.Tests;

/// <summary>A command that trains: this test program, started again with a variable that says how it behaves. It reads rows as any trainer does, and trains them by the managed engine.</summary>
internal static class TrainingCommand
{
    public const string Train = "train";
    public const string Fail = "fail";
    public const string Hang = "hang";
    public const string HangWithChild = "hang-with-child";
    public const string TearWeights = "tear-weights";
    public const string ForgetTokenizer = "forget-tokenizer";

    private const string Variable = "ARIES_TRAINING_COMMAND";

    /// <summary>Gets how this process is to behave; null where it is to run the tests.</summary>
    public static string? Assignment => Environment.GetEnvironmentVariable(Variable);

    public static ExternalCommand Create(string behaviour)
    {
        string program = Environment.ProcessPath!;
        string[] host = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(TrainingCommand).Assembly.Location] : [];
        return new ExternalCommand
        {
            FileName = program,
            Arguments = [.. host, "{settings}"],
            ResumeArguments = ["--resume"],
            Environment = new Dictionary<string, string> { [Variable] = behaviour },
        };
    }

    public static async Task<int> RunAsync(string behaviour, string[] args)
    {
        Console.WriteLine($"pid {Environment.ProcessId}");
        switch (behaviour)
        {
            case Fail:
                Console.WriteLine("out of memory");
                return 3;
            case HangWithChild:
                ProcessStartInfo child = new(Environment.ProcessPath!, Environment.GetCommandLineArgs()[Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? 0..1 : 0..0]);
                child.Environment[Variable] = Hang;
                using (Process.Start(child))
                {
                    await Task.Delay(Timeout.Infinite);
                }

                return 0;
            case Hang:
                await Task.Delay(Timeout.Infinite);
                return 0;
        }

        using JsonDocument settings = JsonDocument.Parse(await File.ReadAllBytesAsync(args[0]));
        string Text(string name) => settings.RootElement.GetProperty(name).GetString()!;
        Console.WriteLine(args.Contains("--resume") ? "goes on" : "starts");
        await TrainAsync(Text);
        string output = Text("output");
        if (behaviour == TearWeights)
        {
            using FileStream weights = File.OpenWrite(Path.Combine(output, "model.safetensors"));
            weights.SetLength(weights.Length - 10);
        }
        else if (behaviour == ForgetTokenizer)
        {
            File.Delete(Path.Combine(output, "tokenizer.json"));
        }

        return 0;

        async Task TrainAsync(Func<string, string> text)
        {
            ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions
            {
                Loss = new DpoLoss(),
                BatchSize = 2,
                StateInterval = 1,
                LearningRate = new LearningRateOptions { Peak = settings.RootElement.GetProperty("learning_rate").GetDouble() },
            });
            PolicyCheckpoint policy = new(text("model"));
            string state = Path.Combine(text("work"), "checkpoint-state");
            long seed = settings.RootElement.GetProperty("seed").GetInt64();
            string[] lines = await File.ReadAllLinesAsync(text("data"));
            Console.WriteLine($"rows {lines.Length}");
            if (lines[0].Contains("\"completion\"", StringComparison.Ordinal))
            {
                await trainer.TrainSupervisedAsync(
                    new SupervisedTrainingRequest
                    {
                        Policy = policy,
                        Examples = [.. lines.Select(ReadExample)],
                        Template = RefinementTemplate.Default,
                        OutputPath = text("output"),
                        StatePath = state,
                        Seed = seed,
                    },
                    Tell);
                return;
            }

            await trainer.TrainPreferencesAsync(
                new PreferenceTrainingRequest
                {
                    Policy = policy,
                    Reference = new PolicyCheckpoint(text("reference")),
                    Pairs = await PreferenceJsonl.ReadAsync(text("data")).ToListAsync(),
                    Template = RefinementTemplate.Default,
                    OutputPath = text("output"),
                    StatePath = state,
                    Seed = seed,
                },
                Tell);
        }
    }

    private static SupervisedExample ReadExample(string line)
    {
        using JsonDocument row = JsonDocument.Parse(line);
        return new SupervisedExample { Prompt = row.RootElement.GetProperty("prompt").GetString()!, Response = row.RootElement.GetProperty("completion").GetString()! };
    }

    private static void Tell(TrainingProgress progress)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{{\"step\": {progress.Step}, \"step_count\": {progress.StepCount}, \"loss\": {progress.Metrics["loss"]:R}}}"));

        // Time for whoever listens to kill this process in the middle.
        Thread.Sleep(20);
    }
}
