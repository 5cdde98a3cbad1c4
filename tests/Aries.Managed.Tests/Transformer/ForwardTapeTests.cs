namespace Aries.Managed.Tests;

public sealed class ForwardTapeTests
{
    private static readonly LlamaConfig Config = TestModels.SmallConfig;

    [Fact]
    public void Begin_AfterReserve_TakesWhatWasReservedAndNoMore()
    {
        ForwardTape tape = new(Config);
        tape.Reserve(Config, 100);
        float[] gate = tape.Layer(0).Gate;

        tape.Begin(Config, 60);
        tape.Begin(Config, 100);

        Assert.Same(gate, tape.Layer(0).Gate);
        Assert.Equal(100 * Config.IntermediateSize, gate.Length);
    }

    [Fact]
    public void Begin_MoreThanWasReserved_LeavesRoomForALittleMore()
    {
        ForwardTape tape = new(Config);
        tape.Reserve(Config, 100);

        tape.Begin(Config, 104);
        float[] gate = tape.Layer(0).Gate;
        tape.Begin(Config, 110);

        Assert.Same(gate, tape.Layer(0).Gate);
    }

    [Fact]
    public void Reserve_OfALayer_IsTheRoomOfAdaptersRows()
    {
        ForwardTape tape = new(Config);
        tape.Reserve(Config, 100);
        LowRows low = tape.Layer(1).UpLow;

        low.Ensure(60, rank: 3);
        float[] values = low.Values;
        low.Ensure(100, rank: 3);

        Assert.Same(values, low.Values);
        Assert.Equal(100 * 3, values.Length);
    }

    [Fact]
    public void KeyValueStore_OfOneLayer_IsSharedByAll()
    {
        KeyValueStore store = new(Config, slotCount: 3, oneLayer: true);
        store.EnsureSlots(5);

        Assert.Same(store.Keys(0), store.Keys(1));
        Assert.Same(store.Values(0), store.Values(1));
        Assert.NotSame(store.Keys(0), store.Values(0));
    }
}
