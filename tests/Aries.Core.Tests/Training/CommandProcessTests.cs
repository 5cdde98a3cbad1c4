using System.Diagnostics;
using System.Globalization;

namespace Aries.Core.Tests;

/// <summary>What happens to a command whose reader fails, and what is told of it. The commands are lines of a Unix shell.</summary>
public sealed class CommandProcessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("aries-command-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string IdPath => Path.Combine(_folder, "process");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // Some of so many have ended before they can be looked at.
    [Fact]
    public async Task RunAsync_CommandsThatEndAtOnce_GiveTheirExitCode()
    {
        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(3, await RunAsync("exit 3", _ => { }));
        }

        Assert.False(File.Exists(IdPath));
    }

    // The command writes until nobody reads, and then waits for ever; its other output stays open.
    [Fact]
    public async Task RunAsync_WhoeverIsToldALineThrows_EndsTheCommandAndThrows()
    {
        await Assert.ThrowsAsync<FormatException>(() => RunAsync("while :; do echo line; done", _ => throw new FormatException("no number")).WaitAsync(TimeSpan.FromMinutes(1), Token));

        Assert.False(File.Exists(IdPath));
    }

    [Fact]
    public async Task RunAsync_TheLastLineIsLookedAtWhenTheCommandHasEnded_WhatThatThrowsIsNotLost()
    {
        await Assert.ThrowsAsync<FormatException>(() => RunAsync("echo $$", line =>
        {
            WaitForEnd(int.Parse(line, CultureInfo.InvariantCulture));
            Thread.Sleep(300);
            throw new FormatException("no number");
        }));
    }

    [Fact]
    public async Task RunAsync_Cancelled_TellsNoLineAfterwards()
    {
        using CancellationTokenSource source = new();
        int count = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(
            "while :; do echo line; done",
            _ =>
            {
                if (Interlocked.Increment(ref count) == 1)
                {
                    source.CancelAfter(TimeSpan.Zero);
                }

                Thread.Sleep(1);
            },
            source.Token));

        int atEnd = Volatile.Read(ref count);
        await Task.Delay(100, Token);
        Assert.Equal(atEnd, Volatile.Read(ref count));
    }

    // A child that ended and that its parent never asks about keeps its number: a container without an init process is full of them.
    [Fact]
    public async Task Kill_TheLeftoverCommandIsAZombie_DoesNotWaitForIt()
    {
        using Process parent = Process.Start(Shell("sleep 0 & echo $!; exec sleep 60"))!;
        try
        {
            int zombie = int.Parse((await parent.StandardOutput.ReadLineAsync(Token))!, CultureInfo.InvariantCulture);
            while (!File.ReadAllText($"/proc/{zombie}/stat").Contains(") Z ", StringComparison.Ordinal))
            {
                await Task.Delay(5, Token);
            }

            using (Process process = Process.GetProcessById(zombie))
            {
                await File.WriteAllTextAsync(IdPath, $"{zombie} {process.StartTime.ToUniversalTime().Ticks}", Token);
            }

            await Task.Run(() => LeftoverProcess.Kill(IdPath), Token).WaitAsync(TimeSpan.FromSeconds(30), Token);

            Assert.False(File.Exists(IdPath));
        }
        finally
        {
            parent.Kill();
        }
    }

    private Task<int> RunAsync(string line, Action<string> onLine, CancellationToken? cancellationToken = null) =>
        CommandProcess.RunAsync(Shell(line), IdPath, onLine, cancellationToken ?? Token);

    private static ProcessStartInfo Shell(string line)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The commands are lines of a Linux shell.");
        return new ProcessStartInfo("/bin/sh", ["-c", line]) { RedirectStandardOutput = true };
    }

    private static void WaitForEnd(int processId)
    {
        try
        {
            using Process process = Process.GetProcessById(processId);
            process.WaitForExit();
        }
        catch (ArgumentException)
        {
            // It has ended.
        }
    }
}
