using System.Text.Json.Nodes;

namespace Aries.Core.Tests;

public class CommandTextsTests
{
    private static readonly CommandTexts Texts = new(new Dictionary<string, string> { ["model"] = "/a {data} b", ["data"] = "/d", ["seed"] = "7" }, seed: 7);

    [Fact]
    public void Fill_Text_ReplacesKnownNamesOnceAndLeavesOthers() =>
        Assert.Equal("--x=/a {data} b,/d {\"k\": {unknown}}", Texts.Fill("--x={model},{data} {\"k\": {unknown}}"));

    [Fact]
    public void Fill_Settings_FillsTextsAtEveryDepthAndMakesTheSeedANumber()
    {
        JsonObject settings = new()
        {
            ["seed"] = "{seed}",
            ["name"] = "run-{seed}",
            ["list"] = new JsonArray("{data}", 1, true, null),
            ["inner"] = new JsonObject { ["path"] = "{data}" },
            ["rate"] = 5e-7,
        };

        Assert.Equal("""{"seed":7,"name":"run-7","list":["/d",1,true,null],"inner":{"path":"/d"},"rate":5E-07}""", Texts.Fill((JsonNode)settings)!.ToJsonString());
    }

    // Settings that no argument leads to are never read, so their names do not count.
    [Fact]
    public void NamesOf_SettingsWithoutTheirName_DoNotCount()
    {
        JsonObject settings = new() { ["out"] = "{output}" };

        Assert.Equal(["model"], CommandTexts.NamesOf(new ExternalCommand { FileName = "t", Arguments = ["{model}"] }, settings));
        Assert.Equal(["output", "settings"], CommandTexts.NamesOf(new ExternalCommand { FileName = "t", Arguments = ["{settings}"] }, settings).Order(StringComparer.Ordinal));
    }
}
